import type { Actor } from "#shared/contract/actor.ts";
import { dispatch } from "#shared/contract/dispatch.ts";
import { mechanismMigrations } from "#shared/db/migrate.ts";
import type { Tx } from "#shared/db/connect.ts";
import { withTx } from "#shared/db/tx.ts";
import { newId } from "#shared/ids/ids.ts";
import { silentLogger } from "#shared/telemetry/log.ts";
import { newTraceparent, requestIdOf } from "#shared/telemetry/trace.ts";
import { manualClock } from "#shared/testing/clock.ts";
import { postgresForTest } from "#shared/testing/postgres.ts";
import { AccountState } from "../contract.ts";
import { billingService } from "../service.ts";

export const account = (id: string, role: "customer" | "operator" = "customer"): Actor => ({
  kind: "account",
  id,
  role,
  via: "ses_1",
});
const operator = account("acc_operator", "operator");
const migrations = new URL("../migrations", import.meta.url).pathname;

/** The service over a database of its own, on a clock that stands still; one for all tests of a file. */
export async function billingForTest() {
  const folders = [mechanismMigrations, { name: "billing", dir: migrations }];
  const pg = await postgresForTest({ schema: "billing", folders });
  const clock = manualClock();
  const deps = { db: pg.db, clock };
  const service = billingService(deps);

  /** The reply of a route, asked by an operator unless told otherwise; rejects with its fault. */
  const ask = async (route: string, input: unknown, actor: Actor = operator): Promise<AccountState> => {
    const traceparent = newTraceparent();
    const meta = {
      actor,
      traceparent,
      requestId: requestIdOf(traceparent),
      deadline: Date.now() + 5_000,
      signal: new AbortController().signal,
      idempotencyKey: undefined,
      address: "192.0.2.7",
      cookie: undefined,
    };
    const { reply } = await dispatch(service, route, input, meta, { log: silentLogger });
    return AccountState.parse(reply);
  };
  const query = <T>(fn: (tx: Tx) => Promise<T>) => withTx(pg.db, fn);
  return {
    deps,
    clock,
    ask,
    query,
    /** A new account; its id. */
    async open() {
      const accountId = newId("acc");
      await ask("getAccount", { accountId });
      return accountId;
    },
    /** What was announced of an account, in order. */
    events: (key: string) =>
      query(
        (tx) =>
          tx<{ subject: string; version: number; payload: AccountState }[]>`
            select subject, version, payload from outbox where key = ${key} order by position`,
      ),
    audit: (target: string) =>
      query(
        (tx) =>
          tx<{ actor: string; action: string; reason: string; address: string; requestId: string }[]>`
            select actor, action, reason, address, request_id from audit where target = ${target} order by id`,
      ),
    [Symbol.asyncDispose]: () => pg[Symbol.asyncDispose](),
  };
}
