import type { Reaction } from "#shared/bus/consume.ts";
import type { Service } from "#shared/contract/implement.ts";
import type { Db } from "#shared/db/connect.ts";
import type { Clock } from "#shared/process/clock.ts";
import { type Config, operatorOf, sessionOptions, tokenOptions } from "../settings.ts";
import { ensureOperator } from "./accounts.ts";
import { createPasswords } from "./passwords.ts";
import { accountChanged } from "./reactions/account-changed.ts";
import { gatewayService } from "./service.ts";
import { createSessions, type Sessions } from "./sessions.ts";
import { createTokens } from "./tokens.ts";

/** Puts the gateway's own service together; when it resolves, the operator's account exists. */
export async function createAuth(
  env: Config,
  { db, clock }: { db: Db; clock: Clock },
): Promise<{ own: Service; sessions: Sessions; reactions: readonly Reaction[] }> {
  const passwords = await createPasswords({ concurrency: env.PASSWORD_CONCURRENCY });
  const tokens = createTokens({ ...tokenOptions(env), clock });
  const sessions = createSessions({ ...sessionOptions(env), db, tokens, clock });
  const operator = operatorOf(env);
  if (operator) await ensureOperator({ db, passwords }, operator);
  return { own: gatewayService({ db, passwords, sessions }), sessions, reactions: [accountChanged({ db })] };
}
