import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { gateway } from "#gateway/auth/contract.ts";
import { type Bus, closeBus, connectBus } from "#shared/bus/connect.ts";
import { mechanismMigrations } from "#shared/db/migrate.ts";
import { silentLogger } from "#shared/telemetry/log.ts";
import { type Mesh, meshForTest } from "#shared/testing/mesh.ts";
import { postgresForTest, type TestPostgres } from "#shared/testing/postgres.ts";
import { billing } from "#services/billing/contract.ts";
import { provisioning } from "#services/provisioning/contract.ts";
import type { Config } from "../config.ts";
import { servers as contract } from "../contract.ts";
import { type StubAgent, stubAgent } from "../testing/agent.ts";
import { account, eventually, serversForTest, until } from "../testing/servers.ts";

// Replicas with a bus connection, a database pool and a poller each: they share one database and nothing else.

let mesh: Mesh;
let pg: TestPostgres;
const database = () =>
  postgresForTest({
    schema: "servers",
    folders: [
      mechanismMigrations,
      { name: "servers", dir: new URL("../migrations", import.meta.url).pathname },
    ],
  });
beforeAll(async () => {
  [mesh, pg] = await Promise.all([meshForTest([gateway, contract, provisioning, billing]), database()]);
});
afterAll(async () => {
  await mesh[Symbol.asyncDispose]();
  await pg[Symbol.asyncDispose]();
});

/** Nothing is asked or read anew by itself within a test, unless it says so. */
const slow = {
  AGENT_POLL_MS: 60_000,
  AGENT_LEASE_MS: 120_000,
  STATUS_FRESH_MS: 60_000,
  AGENT_TTL_MS: 60_000,
  RECORD_MS: 60_000,
  RECONCILE_SWEEP_MS: 60_000,
  POWER_POLL_MS: 10,
};

async function replica(config: Partial<Config> = {}, on = pg) {
  const bus = await connectBus({
    name: "servers",
    url: mesh.server.url,
    user: "servers",
    password: "servers-password",
    log: silentLogger,
  });
  const db = on.connect();
  const parts = await serversForTest({ db, bus, running: true, config: { ...slow, ...config } });
  await bus.nc.flush();
  return {
    ...parts,
    bus,
    async [Symbol.asyncDispose]() {
      await parts[Symbol.asyncDispose]();
      await closeBus(bus);
      await db.close();
    },
  };
}
type Replica = Awaited<ReturnType<typeof replica>>;

/** How many servers each replica asks, in ascending order. */
const shares = async ({ query }: Replica) => {
  const rows = await query(
    (tx) => tx<{ n: number }[]>`
      select count(instance_id)::int as n from poller left join poll_lease on poller_id = id
      group by id order by n`,
  );
  return rows.map(({ n }) => n);
};
const heard = (one: Bus) => one.nc.flush();

describe("who asks the agents", () => {
  const quick = { AGENT_POLL_MS: 30, AGENT_LEASE_MS: 400 };

  test("one replica each: a new one takes a fair share, one that ends leaves it, one that dies loses it", async () => {
    await using own = await database();
    await using first = await replica(quick, own);
    await using stack = new AsyncDisposableStack();
    const agents: StubAgent[] = [];
    for (let i = 0; i < 9; i++) {
      const agent = stack.use(stubAgent());
      agents.push(agent);
      await first.open({ agent: agent.access, customerId: "acc_1" });
    }
    const shared = (...counts: number[]) =>
      until(
        () => shares(first),
        (now) => Bun.deepEquals(now, counts),
      );
    await shared(9);
    {
      await using second = await replica(quick, own);
      await shared(4, 5);
      // Whoever asks an agent, both know it.
      for (const parts of [first, second])
        await until(
          async () => (await parts.ask("listServers", {}, account("acc_1"))).servers,
          (rows) => rows.every((row) => row.status === "running"),
        );
    }
    await shared(9);
    // Killed: it gives nothing back, and renews nothing.
    await first.query(async (tx) => {
      await tx`insert into poller (id, expires_at) values ('rpl_killed', now() + interval '300 milliseconds')`;
      await tx`update poll_lease set poller_id = 'rpl_killed'`;
    });
    await until(
      () => shares(first),
      (counts) => counts.length === 1,
    );
    await shared(9);
    const calls = () => agents.map((agent) => agent.calls.get("/health") ?? 0);
    const before = calls();
    await until(calls, (now) => now.every((n, i) => n > (before[i] ?? 0)));
  });
});

describe("what one replica knows", () => {
  test("the others know without asking: what an agent said, and what was written", async () => {
    await using agent = stubAgent();
    await using one = await replica();
    await using other = await replica();
    const { id, owner, instanceId } = await one.open({ agent: agent.access });
    await until(
      () => other.deps.live.get(instanceId),
      (seen) => seen?.status?.state === "running",
    );
    const asked = agent.calls.get("/status");
    const status = (parts: Replica) => parts.ask("getStatus", { id }, owner);
    expect(await status(other)).toMatchObject({ status: "running", agentReady: true });
    expect(agent.calls.get("/status")).toBe(asked);

    // Remembered for a minute at the other, and told of the write before the answer to it goes out.
    const { lock } = await one.ask("authorize", { serverId: id, action: "power.stop" });
    await heard(one.bus);
    await heard(other.bus);
    expect((await status(other)).operation?.id).toBe(lock?.operationId);
    await one.ask("unlock", { instanceId, ...lock });
    await heard(one.bus);
    await heard(other.bus);
    expect((await status(other)).operation).toBeNull();
  });

  test("a suspension that one replica hears of shows at the others", async () => {
    await using one = await replica();
    await using other = await replica();
    const { id, owner, customerId } = await one.open();
    const state = async () => (await other.ask("getStatus", { id }, owner)).billing.serverState;
    expect(await state()).toBe("allowed");
    await one.bills(customerId, { serverBillingState: "suspended_shutdown" });
    await heard(one.bus);
    await heard(other.bus);
    expect(await state()).toBe("suspended_shutdown");
  });

  test("without the bus the others find out by themselves: rows after a moment, agents when somebody asks", async () => {
    await using agent = stubAgent();
    await using one = await replica({ RECORD_MS: 30, STATUS_FRESH_MS: 30 });
    await using other = await replica({ RECORD_MS: 30, STATUS_FRESH_MS: 30 });
    const { id, owner } = await one.open({ agent: agent.access });
    await mesh.server.kill();
    try {
      const { lock } = await one.ask("authorize", { serverId: id, action: "power.stop" });
      const operation = async () => (await other.ask("getStatus", { id }, owner)).operation?.id;
      await until(operation, (holder) => holder === lock?.operationId);
      Object.assign(agent.says, { state: "idle", ready: false });
      const ready = async () => (await other.ask("getStatus", { id }, owner)).agentReady;
      await until(ready, (now) => !now);
    } finally {
      await mesh.server.restart();
      await eventually(() => heard(one.bus));
      await eventually(() => heard(other.bus));
    }
  });
});
