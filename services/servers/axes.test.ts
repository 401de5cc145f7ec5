import { describe, expect, test } from "bun:test";
import { AgentStatus } from "#shared/agent/contract.ts";
import {
  addressOf,
  effectiveDesired,
  isConnectable,
  type Present,
  present,
  statusWord,
  wishOf,
  type Word,
} from "./axes.ts";
import { observation } from "./testing/observation.ts";
import type { ServerRecord } from "./store.ts";

const server = (change: Partial<ServerRecord> = {}): ServerRecord => ({
  instanceId: "0190a000-0000-7000-8000-000000000000",
  vmid: 5000,
  customerId: "acc_1",
  ctype: "game",
  name: "my world",
  hostname: "srv-5000",
  node: "local",
  ip: null,
  engineType: "minecraft",
  engineVersion: null,
  desired: "running",
  hostDesired: "running",
  removing: false,
  payload: {},
  version: 1,
  lock: null,
  billing: { billingStatus: "active", serverBillingState: "allowed" },
  ...change,
});
const billed = (serverBillingState: NonNullable<ServerRecord["billing"]>["serverBillingState"]) => ({
  billing: { billingStatus: "active" as const, serverBillingState },
});
const locked = (type: string) => ({
  lock: { operationId: "srv_1", type, phase: null, message: null, lockedAt: new Date(0) },
});
const now = (state: string | null, change: Partial<Present> = {}): Present => ({
  host: "online",
  agent: "online",
  status: state === null ? null : AgentStatus.parse({ state }),
  agentReady: false,
  ...change,
});
const ready = { agentReady: true };
const offline = { host: "offline", agent: "offline", status: null } as const;
const unknown = { host: "unknown", agent: "offline", status: null } as const;
const dev = { ctype: "dev" } as const;
const hostStopped = { hostDesired: "stopped" } as const;

test.each<[Word, string, Partial<ServerRecord>, Present]>([
  ["running", "runs and is ready", {}, now("running", ready)],
  ["starting", "runs and is not ready yet", {}, now("running")],
  ["starting", "the agent says so", {}, now("starting")],
  ["stopping", "the agent says so", {}, now("stopping")],
  ["installing", "the agent says so", {}, now("installing")],
  ["crashed", "the agent says so", {}, now("crashed")],
  ["error", "the agent says so", {}, now("error")],
  ["idle", "should run and does not", {}, now("idle")],
  ["stopped", "should not run and does not", { desired: "stopped" }, now("idle")],
  ["unknown", "the host answers, the agent gives no detail", {}, now(null)],
  ["offline", "the host does not answer", {}, now(null, offline)],
  ["unknown", "nothing was observed lately", {}, now(null, unknown)],
  ["starting", "a start is under way", locked("power.start"), now("idle")],
  ["stopping", "a stop is under way", locked("power.stop"), now("running", ready)],
  ["restarting", "a restart is under way", locked("power.restart"), now("stopping")],
  ["offline", "a start is under way and the host does not answer", locked("power.start"), now(null, offline)],
  ["running", "a backup changes no word", locked("backups.create"), now("running", ready)],
  ["stopped", "its customer stopped the host", hostStopped, now(null, offline)],
  ["stopped", "its host was stopped and is still there", hostStopped, now("idle")],
  [
    "stopping",
    "its host is being stopped",
    { ...hostStopped, ...locked("host.stop") },
    now("running", ready),
  ],
  ["starting", "its host is being started", locked("host.start"), now(null, offline)],
  ["restarting", "its host is being restarted", locked("host.restart"), now(null, offline)],
  ["stopped", "a dev server whose host was stopped", { ...dev, ...hostStopped }, now(null, offline)],
  ["deleting", "its teardown has begun", { removing: true, ...billed("retained") }, now(null, offline)],
  [
    "deleting",
    "whatever else holds",
    { ...locked("server.delete"), ...billed("retained") },
    now(null, unknown),
  ],
  ["suspended", "also while it still runs", billed("suspended_shutdown"), now("running", ready)],
  ["suspended", "also when it is offline", billed("retained"), now(null, offline)],
  ["running", "blocked backups stop no game", billed("backup_blocked"), now("running", ready)],
  ["running", "a dev server with its host up, whatever the agent says", dev, now("idle")],
  ["offline", "a dev server whose host is away", dev, now(null, offline)],
  ["suspended", "a dev server, too", { ...dev, ...billed("retained") }, now("idle")],
])("%s: %s", (word, _why, change, seen) => {
  expect(statusWord(server(change), seen)).toBe(word);
});

test.each([
  ["running", "allowed", "running"],
  ["running", "backup_blocked", "running"],
  ["running", "suspended_shutdown", "stopped"],
  ["running", "retained", "stopped"],
  ["stopped", "allowed", "stopped"],
  ["stopped", "retained", "stopped"],
] as const)("desired %s in the billing state %s is in effect %s", (desired, state, effective) => {
  expect(effectiveDesired(server({ desired, ...billed(state) }))).toBe(effective);
});

test("a stopped host stops everything, and of a dev server nothing else does", () => {
  expect(effectiveDesired(server(hostStopped))).toBe("stopped");
  expect(effectiveDesired(server({ ...dev, ...hostStopped }))).toBe("stopped");
  const suspended = billed("suspended_shutdown");
  expect(effectiveDesired(server({ ...dev, desired: "stopped", ...suspended }))).toBe("running");
});

test("what the customer wants of a game is its own wish, and of a dev server that of its host", () => {
  expect(wishOf(server(hostStopped))).toBe("running");
  expect(wishOf(server({ ...dev, ...hostStopped }))).toBe("stopped");
});

test("an account of which nothing is known is not suspended", () => {
  expect(effectiveDesired(server({ billing: null }))).toBe("running");
});

describe("connectable: should run, is ready, and the edge has published it", () => {
  const edge = { payload: { edge: { address: "play.example.org:25565" } } };
  test.each<[boolean, string, Partial<ServerRecord>, Present]>([
    [true, "all three", edge, now("running", ready)],
    [false, "not ready", edge, now("running")],
    [false, "not published", {}, now("running", ready)],
    [false, "should not run", { ...edge, desired: "stopped" }, now("running", ready)],
    [false, "suspended", { ...edge, ...billed("retained") }, now("running", ready)],
    [false, "its host should not run", { ...edge, ...hostStopped }, now("running", ready)],
    [false, "is being deleted", { ...edge, removing: true }, now("running", ready)],
    [true, "a dev server, all three", { ...edge, ...dev }, now("idle", ready)],
    [false, "a suspended dev server", { ...edge, ...dev, ...billed("retained") }, now("idle", ready)],
  ])("%s: %s", (connectable, _why, change, seen) => {
    expect(isConnectable(server(change), seen)).toBe(connectable);
  });
});

test("there is no address until the edge has one of the right shape", () => {
  for (const edge of [undefined, null, {}, { address: null }, { address: 7 }, "play.example.org:1"])
    expect(addressOf({ payload: { edge } })).toBeNull();
  expect(addressOf({ payload: { edge: { address: "a:1" } } })).toBe("a:1");
});

test("of a host that was stopped no news is good news", () => {
  const at = { now: 10_000, ttlMs: 500 };
  expect(present(undefined, at, "stopped").host).toBe("offline");
  expect(present(observation({ endedAt: 0 }), at, "stopped").host).toBe("offline");
  expect(present(observation({ endedAt: 10_000 }), at, "stopped").host).toBe("online");
});

test("an observation counts up to its time to live, to the millisecond", () => {
  const seen = observation({ endedAt: 1_000 });
  const at = (ms: number) => present(seen, { now: ms, ttlMs: 500 });
  expect(at(1_500)).toMatchObject({ host: "online", agent: "online", agentReady: true });
  expect(at(1_501)).toEqual({ host: "unknown", agent: "offline", status: null, agentReady: false });
  expect(present(undefined, { now: 0, ttlMs: 500 }).host).toBe("unknown");
});
