import type { AccountState } from "#services/billing/contract.ts";
import { plans } from "#services/billing/contract.ts";
import type { Actor } from "#shared/contract/actor.ts";
import { type Answer, dispatch } from "#shared/contract/dispatch.ts";
import { Operation } from "#shared/contract/operation.ts";
import { mechanismMigrations } from "#shared/db/migrate.ts";
import type { Tx } from "#shared/db/connect.ts";
import { withTx } from "#shared/db/tx.ts";
import { coreFault } from "#shared/fault/core.ts";
import { newId } from "#shared/ids/ids.ts";
import { systemClock } from "#shared/process/clock.ts";
import { type Logger, silentLogger } from "#shared/telemetry/log.ts";
import { newTraceparent, requestIdOf } from "#shared/telemetry/trace.ts";
import { postgresForTest } from "#shared/testing/postgres.ts";
import { config, type Config } from "../config.ts";
import { joinDeletes } from "../keyed-deletes.ts";
import { partsOf } from "../parts.ts";
import { provisioningService } from "../service.ts";
import { startProvisioningWorkers } from "../worker.ts";
import { hostForTest } from "../adapters/testing/local-host.ts";
import { registryForTest } from "./registry.ts";

export const account = (id: string, role: "customer" | "operator" = "customer"): Actor => ({
  kind: "account",
  id,
  role,
  via: "ses_1",
});

export const migrations = new URL("../migrations", import.meta.url).pathname;

/** Settings under which nothing is waited for longer than a test likes. */
export const quick = (host: { url: string; token: string }, more: Partial<Config> = {}): Config => ({
  ...config.parse({ ZPACK_INSTALLATION: "test1", LOCAL_HOST_URL: host.url, LOCAL_HOST_TOKEN: host.token }),
  PROVISIONING_POLL_MS: 2,
  PROVISIONING_RETRY_MS: 2,
  PROVISIONING_GIVE_UP_MS: 10_000,
  ...more,
});

/** The service over a database of its own and stand-ins for everybody else; one for all tests of a file. */
export async function provisioningForTest(
  o: {
    log?: Logger;
    settings?: Partial<Config>;
    /** A host to use instead of the stand-in. */
    real?: { url: string; token: string };
  } = {},
) {
  const folders = [mechanismMigrations, { name: "provisioning", dir: migrations }];
  const pg = await postgresForTest({ schema: "provisioning", folders });
  const host = hostForTest();
  const registry = registryForTest();
  const settings = quick(o.real ?? host, o.settings);
  const plan = { silent: false, states: new Map<string, Partial<AccountState>>() };
  const billing = {
    async getAccount({ accountId }: { accountId: string }) {
      if (plan.silent) throw coreFault("service.timeout");
      return { ...freeAccount(accountId), ...plan.states.get(accountId) };
    },
  };
  const { log = silentLogger } = o;
  const outside = { db: pg.db, clock: systemClock, servers: registry.servers, billing };
  const deps = partsOf(outside, settings);
  const service = provisioningService(deps);
  const authority = joinDeletes(registry.authority, pg.db);
  const newOperationId = () => newId("prv");
  const query = <T>(fn: (tx: Tx) => Promise<T>) => withTx(pg.db, fn);

  return {
    deps,
    host,
    registry,
    driver: deps.driver,
    settings,
    billing: plan,
    query,
    /** One call of one route; rejects with its fault. */
    call: (route: string, input: unknown, actor: Actor, idempotencyKey?: string): Promise<Answer> => {
      const traceparent = newTraceparent();
      const meta = {
        actor,
        traceparent,
        requestId: requestIdOf(traceparent),
        deadline: Date.now() + 5_000,
        signal: new AbortController().signal,
        idempotencyKey,
        address: "192.0.2.7",
        cookie: undefined,
      };
      return dispatch(service, route, input, meta, { log, authority, newOperationId });
    },
    newAccount: (state: Partial<AccountState> = {}): Actor & { kind: "account"; id: string } => {
      const id = newId("acc");
      plan.states.set(id, state);
      return { kind: "account", id, role: "customer", via: "ses_1" };
    },
    worker() {
      const workers = startProvisioningWorkers({ ...deps, settings, log });
      return { stop: async () => void (await Promise.all(workers.map((worker) => worker.stop()))) };
    },
    async [Symbol.asyncDispose]() {
      await host.stop();
      await pg[Symbol.asyncDispose]();
    },
  };
}
export type TestProvisioning = Awaited<ReturnType<typeof provisioningForTest>>;

export const freeAccount = (accountId: string): AccountState => ({
  accountId,
  plan: "free",
  billingStatus: "active",
  serverBillingState: "allowed",
  since: "2030-01-01T00:00:00.000Z",
  limits: plans.free,
  version: 1,
});

/** Looks at an operation until `done` says so; fails after `limitMs` milliseconds. */
export async function untilOperation(
  provisioning: Pick<TestProvisioning, "call">,
  id: string,
  done: (operation: Operation) => boolean,
  limitMs = 4_000,
): Promise<Operation> {
  for (const end = Date.now() + limitMs; ; await systemClock.sleep(5)) {
    const { reply } = await provisioning.call("getOperation", { operationId: id }, account("op", "operator"));
    const operation = Operation.parse(reply);
    if (done(operation)) return operation;
    if (Date.now() > end)
      throw new Error(`not after ${limitMs} ms: ${operation.phase}: ${operation.message}`);
  }
}
