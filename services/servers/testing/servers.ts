import type { z } from "zod";
import { agentClient } from "#shared/agent/client.ts";
import type { Bus } from "#shared/bus/connect.ts";
import { type Actor, serviceActor } from "#shared/contract/actor.ts";
import type { AuditRecord } from "#shared/contract/audit.ts";
import { type CallMeta, dispatch } from "#shared/contract/dispatch.ts";
import { mechanismMigrations } from "#shared/db/migrate.ts";
import type { Db, Tx } from "#shared/db/connect.ts";
import { withTx } from "#shared/db/tx.ts";
import { coreFault } from "#shared/fault/core.ts";
import { newId, newInstanceId } from "#shared/ids/ids.ts";
import { type Clock, systemClock } from "#shared/process/clock.ts";
import { type Logger, silentLogger } from "#shared/telemetry/log.ts";
import { account, callMeta, until } from "#shared/testing/call.ts";
import { postgresForTest } from "#shared/testing/postgres.ts";
import type { AccountState } from "#services/billing/contract.ts";
import type { AgentAccess } from "#shared/contract/authority.ts";
import { localAuthority } from "../authority.ts";
import { type Config, config } from "../config.ts";
import type { servers } from "../contract.ts";
import { depsOf } from "../deps.ts";
import { startParts } from "../parts.ts";
import { alone, replicasOver } from "../live/replicas.ts";
import { type Deps, serversService } from "../service.ts";
import { claimReservation, insertInstance, onTouched, storeAccount, touched } from "../store.ts";
import { nobody } from "./agent.ts";

const migrations = new URL("../migrations", import.meta.url).pathname;

export { account, eventually, operator, until } from "#shared/testing/call.ts";
export const service = serviceActor("provisioning");

/** What billing would say of an account in good standing; `change` makes it another. */
export const accountState = (accountId: string, change: Partial<AccountState> = {}): AccountState => ({
  accountId,
  plan: "free",
  billingStatus: "active",
  serverBillingState: "allowed",
  since: "2030-01-01T00:00:00.000Z",
  limits: { servers: 2, memoryMiB: 4096, backupsPerServer: 3, schedulesPerServer: 1 },
  version: 1,
  ...change,
});

export type Options = {
  config?: Partial<Config>;
  clock?: Clock;
  log?: Logger;
  /** Poller, reconciler and queue worker run, too. */
  running?: boolean;
  /** How this process hears of others. */
  bus?: Bus;
  /** An existing database instead of a new one: a second process of the same service. */
  beside?: { deps: Pick<Deps, "db"> };
  /** As {@link beside}, over a connection of its own. */
  db?: Db;
};

type RouteName = keyof typeof servers.routes;
type Reply<K extends RouteName> = z.output<(typeof servers.routes)[K]["reply"]>;

/** The service over a database of its own; one for all tests of a file, or one per test. */
export async function serversForTest(o: Options = {}) {
  const folders = [mechanismMigrations, { name: "servers", dir: migrations }];
  const pg = o.beside || o.db ? undefined : await postgresForTest({ schema: "servers", folders });
  const db = pg?.db ?? o.db ?? o.beside?.deps.db;
  if (!db) throw new Error("unreachable: one of them is there");
  const clock = o.clock ?? systemClock;
  const log = o.log ?? silentLogger;
  const asked: string[] = [];
  const woken: string[] = [];
  const looked: string[] = [];
  /** What billing answers; by default every account is new and in good standing. */
  const bill = { answer: (accountId: string): AccountState => accountState(accountId) };
  const settings: Config = { ...config.parse({}), ...o.config };
  const outside = {
    db,
    clock,
    log,
    config: settings,
    billing: {
      getAccount: async ({ accountId }: { accountId: string }) => {
        asked.push(accountId);
        return bill.answer(accountId);
      },
    },
    agent: (access: AgentAccess, timeoutMs: number) => agentClient({ ...access, timeoutMs }),
  };
  const wake = { notify: () => {}, subscribe: () => () => {} };
  const replicas = o.bus ? replicasOver(o.bus) : alone();
  const running = o.running ? await startParts({ ...outside, wake, replicas }) : undefined;
  const deps: Deps =
    running?.deps ??
    depsOf(outside, {
      reconcile: (instanceId) => void woken.push(instanceId),
      look: (server) => void looked.push(server.instanceId),
    });
  const untouched = running ? undefined : onTouched(db, deps.records.forget);
  const routes = serversService(deps);
  const authority = localAuthority(deps);

  const call = (route: string, input: unknown, actor: Actor = service, meta: Partial<CallMeta> = {}) => {
    const full = callMeta(actor, { deadline: clock.now() + 12_000, ...meta });
    const hooks = { log, authority, newOperationId: () => newId("srv") };
    return dispatch(routes, route, input, full, hooks);
  };
  /** The reply of a route, asked by a service unless told otherwise; rejects with its fault. */
  function ask<K extends RouteName>(route: K, input: unknown, actor?: Actor): Promise<Reply<K>>;
  async function ask(route: RouteName, input: unknown, actor?: Actor): Promise<unknown> {
    return (await call(route, input, actor)).reply;
  }
  const query = <T>(fn: (tx: Tx) => Promise<T>) => withTx(db, fn);

  return {
    deps,
    asked,
    woken,
    looked,
    bill,
    reaction: running?.reactions?.[0],
    query,
    authority,
    ask,
    /** A live server, made as provisioning makes it. */
    async open(change: { customerId?: string; agent?: AgentAccess } & Record<string, unknown> = {}) {
      const customerId = change.customerId ?? newId("acc");
      const ids = { operationId: newId("prv"), instanceId: newInstanceId(), customerId };
      const ctype = change["ctype"] ?? "game";
      await query((tx) => storeAccount(tx, accountState(customerId)));
      const { vmid } = await ask("reserve", { ...ids, ctype });
      await call("activate", {
        ...ids,
        vmid,
        ctype,
        name: "my world",
        hostname: `srv-${vmid}`,
        node: "local",
        ip: "127.0.0.1",
        engineType: "minecraft",
        engineVersion: "1.16.5",
        agent: nobody,
        payload: { engine: { game: "minecraft", variant: "flying-squid", runtime: "bun" } },
        ...change,
      });
      return { ...ids, vmid, id: String(vmid), owner: account(customerId) };
    },
    /** What was announced of an instance, in order. */
    events: (key: string) =>
      query(
        (tx) =>
          tx<{ subject: string; version: number; payload: Record<string, unknown> }[]>`
            select subject, version, payload from outbox where key = ${key} order by position`,
      ),
    /** What the audit log was told about an instance, in order. */
    audits: (target: string) =>
      query(async (tx) => {
        const rows = await tx<{ payload: z.output<typeof AuditRecord> }[]>`
          select payload from outbox
          where subject like 'evt.servers.v1.audit.recorded.%' and payload ->> 'target' = ${target}
          order by position`;
        return rows.map(({ payload }) => payload);
      }),
    /** An activation that has written and not yet committed, until `commit`. */
    async activating() {
      const ids = { operationId: newId("prv"), instanceId: newInstanceId(), customerId: newId("acc") };
      const { vmid } = await ask("reserve", { ...ids, ctype: "game" });
      const facts = { ...ids, vmid, ctype: "game", name: "my world", hostname: `srv-${vmid}` } as const;
      const rest = {
        node: "local",
        ip: null,
        agent: nobody,
        engineType: "x",
        engineVersion: null,
        payload: {},
      };
      const written = Promise.withResolvers<void>();
      const gate = Promise.withResolvers<void>();
      const done = query(async (tx) => {
        await claimReservation(tx, facts);
        await insertInstance(tx, { ...facts, ...rest });
        written.resolve();
        await gate.promise;
      });
      await written.promise;
      const commit = () => {
        gate.resolve();
        return done;
      };
      return { ...ids, vmid, commit };
    },
    /** Resolves when a statement waits for the lock of another, or `ended` does. */
    async blocked(ended: Promise<unknown>): Promise<void> {
      let over = false;
      void ended.then(
        () => (over = true),
        () => (over = true),
      );
      const waiting = () =>
        query(
          (tx) =>
            tx`select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`,
        );
      await until(waiting, (rows) => over || rows.length > 0);
    },
    /** Its customer has stopped the host of a server, as provisioning writes it down. */
    async stopHost(instanceId: string) {
      const { lock } = await ask("authorize", { serverId: instanceId, action: "power.stop" });
      await call("setHostDesired", { instanceId, ...lock, desired: "stopped" });
      await call("unlock", { instanceId, ...lock });
    },
    /** Makes a lock's last sign of life `ms` milliseconds older than it is. */
    age: (instanceId: string, ms: number) =>
      query((tx) => {
        touched(tx, instanceId);
        return tx`
          update operation_lock set heartbeat_at = heartbeat_at - ${ms} * interval '1 millisecond'
          where instance_id = ${instanceId}`;
      }),
    /** Billing said this of an account. */
    bills: (accountId: string, change: Partial<AccountState>) =>
      query((tx) => storeAccount(tx, accountState(accountId, { version: 2, ...change }))),
    /** Ends the workers as an ordered stop would. */
    async stop() {
      for (const worker of running?.workers ?? []) await worker.stop();
    },
    async [Symbol.asyncDispose]() {
      untouched?.();
      for (const worker of running?.workers ?? []) await worker.stop();
      await pg?.[Symbol.asyncDispose]();
    },
  };
}

/** Billing that does not answer. */
export const silentBilling = (): never => {
  throw coreFault("service.timeout");
};
