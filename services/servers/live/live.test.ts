import { expect, test } from "bun:test";
import { AgentStatus } from "#shared/agent/contract.ts";
import { AgentError } from "#shared/agent/error.ts";
import { manualClock } from "#shared/testing/clock.ts";
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
  const live = liveObservations({ agent: () => stub.agent, clock, versionMs: 60_000, onChange });
  return { ...stub, clock, changes, live };
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

test("servers that are gone are forgotten", async () => {
  const { live } = liveForTest();
  await live.refresh(server("a"));
  await live.refresh(server("b"));
  live.retain(new Set(["b"]));
  expect(live.get("a")).toBeUndefined();
  expect(live.get("b")).toBeDefined();
});
