import { describe, expect, test } from "bun:test";
import { AgentStatus } from "#shared/agent/contract.ts";
import { AgentError } from "#shared/agent/error.ts";
import { manualClock } from "#shared/testing/clock.ts";
import { observation } from "../testing/observation.ts";
import { liveObservations } from "./live.ts";
import type { Questions } from "./observe.ts";

const server = (instanceId: string) => ({ instanceId, agent: { address: "http://agent", token: "t" } });

/** An agent in memory: rounds are counted, and answered when the test lets them. */
function agentForTest() {
  const says = { state: "running", version: "1" };
  const rounds = { count: 0 };
  let gate = Promise.resolve();
  const agent: Questions = {
    health: async () => {
      rounds.count++;
      await gate;
      return { ok: true };
    },
    ready: async () => ({ ready: true, reason: "ok" }),
    status: async () => {
      if (says.state === "silent") throw new AgentError({ kind: "silent" });
      return AgentStatus.parse({ state: says.state });
    },
    version: async () => ({ agent: "test", version: says.version, contract: 1 }),
  };
  return { says, rounds, agent, hold: (until: Promise<void>) => void (gate = until) };
}

function liveForTest() {
  const stub = agentForTest();
  const clock = manualClock();
  const changes: string[] = [];
  const onChange = (id: string) => void changes.push(id);
  const told: string[] = [];
  const onSeen = (id: string) => void told.push(id);
  const live = liveObservations({ agent: () => stub.agent, clock, versionMs: 60_000, onChange, onSeen });
  return { ...stub, clock, changes, told, live };
}

test("who asks during a round gets that round; who asks afterwards gets a new one", async () => {
  const { live, rounds, hold } = liveForTest();
  const { promise, resolve } = Promise.withResolvers<void>();
  hold(promise);
  const asked = Array.from({ length: 100 }, () => live.refresh(server("a")));
  expect(live.get("a")).toBeUndefined();
  resolve();
  expect(new Set(await Promise.all(asked)).size).toBe(1);
  expect(rounds.count).toBe(1);
  await live.refresh(server("a"));
  await live.refresh(server("b"));
  expect(rounds.count).toBe(3);
});

test("a change of state or presence is told, and so is the first sight; sameness is not", async () => {
  const { live, says, changes } = liveForTest();
  for (const state of ["running", "running", "idle", "idle", "silent", "silent", "idle"]) {
    says.state = state;
    await live.refresh(server("a"));
  }
  expect(changes).toHaveLength(4);
});

test("the version is believed for a while and then asked for again", async () => {
  const { live, says, clock } = liveForTest();
  await live.refresh(server("a"));
  says.version = "2";
  await clock.advance(59_999);
  expect((await live.refresh(server("a"))).version?.name).toBe("1");
  await clock.advance(1);
  expect((await live.refresh(server("a"))).version?.name).toBe("2");
});

describe("what another replica has observed", () => {
  const theirs = (endedAt: number) => observation({ begunAt: endedAt - 50, endedAt, ready });
  const ready = { ready: false, reason: "theirs", answeredAt: 0 };

  test("counts as seen now, whatever its clock says, and starts nothing here", async () => {
    const { live, clock, changes } = liveForTest();
    await clock.advance(10_000);
    live.learn("a", theirs(clock.now() + 3_600_000));
    expect(live.get("a")).toMatchObject({ endedAt: clock.now(), begunAt: clock.now() - 50 });
    expect(live.get("a")?.seenAt).toBe(clock.now());
    expect(changes).toEqual([]);
  });

  test("yields to a round of our own that began later, and replaces an older one", async () => {
    const { live, clock } = liveForTest();
    await clock.advance(10_000);
    await live.refresh(server("a"));
    live.learn("a", theirs(clock.now()));
    expect(live.get("a")?.ready.reason).toBe("ok");
    await clock.advance(50);
    live.learn("a", theirs(clock.now()));
    expect(live.get("a")?.ready.reason).toBe("theirs");
  });

  test("the others are told of every round of ours", async () => {
    const { live, told } = liveForTest();
    await live.refresh(server("a"));
    await live.refresh(server("b"));
    live.learn("c", theirs(0));
    expect(told).toEqual(["a", "b"]);
  });
});

test("servers that are gone are forgotten, and not those that are seen for the first time meanwhile", async () => {
  const { live, clock } = liveForTest();
  await live.refresh(server("a"));
  await live.refresh(server("b"));
  live.retain(new Set(["b"]), clock.now());
  expect(live.get("a")).toBeDefined();
  live.retain(new Set(["b"]), clock.now() + 1);
  expect(live.get("a")).toBeUndefined();
  expect(live.get("b")).toBeDefined();
});
