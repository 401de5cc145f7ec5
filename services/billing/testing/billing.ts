import type { Actor } from "#shared/contract/actor.ts";
import type { z } from "zod";
import type { AuditRecord } from "#shared/contract/audit.ts";
import { dispatch } from "#shared/contract/dispatch.ts";
import { mechanismMigrations } from "#shared/db/migrate.ts";
import type { Tx } from "#shared/db/connect.ts";
import { withTx } from "#shared/db/tx.ts";
import { newId } from "#shared/ids/ids.ts";
import { silentLogger } from "#shared/telemetry/log.ts";
import { callMeta, operator } from "#shared/testing/call.ts";
import { manualClock } from "#shared/testing/clock.ts";
import { postgresForTest } from "#shared/testing/postgres.ts";
import { AccountState } from "../contract.ts";
import { billingService } from "../service.ts";

export { account } from "#shared/testing/call.ts";
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
    const { reply } = await dispatch(service, route, input, callMeta(actor), { log: silentLogger });
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
    /** What the audit log was told of an account, in order. */
    audit: (target: string) =>
      query(async (tx) => {
        const rows = await tx<{ payload: z.output<typeof AuditRecord> }[]>`
          select payload from outbox
          where subject like 'evt.billing.v1.audit.recorded.%' and payload ->> 'target' = ${target}
          order by position`;
        return rows.map(({ payload }) => payload);
      }),
    [Symbol.asyncDispose]: () => pg[Symbol.asyncDispose](),
  };
}
