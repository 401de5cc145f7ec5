import { broadcast, onBroadcast } from "#shared/bus/broadcast.ts";
import type { Reaction } from "#shared/bus/consume.ts";
import type { Service } from "#shared/contract/implement.ts";
import type { Parts } from "#shared/process/run.ts";
import { exponential } from "#shared/queue/backoff.ts";
import { startWorker } from "#shared/queue/worker.ts";
import {
  accountSettings,
  type Config,
  operatorOf,
  recoverySettings,
  retention,
  sessionOptions,
  tokenOptions,
} from "../settings.ts";
import { ensureOperator } from "./accounts.ts";
import { gateway } from "./contract.ts";
import { createPasswords } from "./passwords.ts";
import { startPurge } from "./purge.ts";
import { auditRecorded } from "./reactions/audit-recorded.ts";
import { accountChanged } from "./reactions/account-changed.ts";
import { recover, recoveryQueue } from "./recovery.ts";
import { gatewayService } from "./service.ts";
import { createSessions, type Sessions } from "./sessions.ts";
import { createTokens } from "./tokens.ts";

/** Puts the gateway's own service together; when it resolves, the operator's account exists. */
export async function createAuth(
  env: Config,
  parts: Omit<Parts<Config>, "config">,
): Promise<{
  own: Service;
  sessions: Sessions;
  reactions: readonly Reaction[];
  workers: readonly { stop(): Promise<void> | void }[];
}> {
  const { bus, db, clock, log } = parts;
  const passwords = await createPasswords({ concurrency: env.PASSWORD_CONCURRENCY });
  const sessions = createSessions({
    ...sessionOptions(env),
    db,
    tokens: createTokens({ ...tokenOptions(env), clock }),
    clock,
    log,
    announce: (ended) => broadcast(bus, gateway, "sessionEnded", ended),
  });
  const operator = operatorOf(env);
  if (operator) await ensureOperator({ db, passwords }, operator);
  return {
    own: gatewayService({ db, clock, passwords, sessions, settings: accountSettings(env) }),
    sessions,
    reactions: [accountChanged({ db }), ...auditRecorded({ db })],
    workers: [
      onBroadcast(bus, gateway, "sessionEnded", (ended) => sessions.forget(ended)),
      ...housekeeping(env, parts),
    ],
  };
}

function housekeeping(env: Config, { db, clock, log, wake }: Omit<Parts<Config>, "config">) {
  return [
    startWorker({
      db,
      queue: recoveryQueue,
      handle: recover(recoverySettings(env)),
      concurrency: 2,
      leaseMs: env.ACCOUNTS_LEASE_MS,
      sweepMs: env.ACCOUNTS_SWEEP_MS,
      // What is asked for is done, however long the database is away.
      maxAttempts: 1_000_000,
      backoffMs: exponential(500, 60_000),
      clock,
      log,
      wake,
    }),
    startPurge({ db, clock, log, retention: retention(env), everyMs: env.ACCOUNTS_PURGE_MS }),
  ];
}
