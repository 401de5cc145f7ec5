import { describe, expect, test } from "bun:test";
import type { AgentState } from "#shared/agent/contract.ts";
import { coreFault } from "#shared/fault/core.ts";
import type { PowerAction } from "../power.ts";
import { observation } from "../testing/observation.ts";
import { errorOf, judge, type Progress, type SoFar } from "./power-progress.ts";

const before = "2030-01-01T00:00:00.000Z";
const after = "2030-01-01T00:01:00.000Z";
const ready = { ready: true, reason: "ok", answeredAt: 0 };
const fresh: SoFar = { begun: false, settled: false };
const unready = { ready: false, reason: "starting", answeredAt: 0 };

describe("what an observation says about an accepted action", () => {
  test.each<[PowerAction, Progress["end"], string, Parameters<typeof observation>[0]]>([
    ["start", "succeeded", "runs and is ready", { ready }],
    ["start", "waiting", "runs and is not ready", { ready: unready }],
    ["start", "begun", "is starting", { status: { state: "starting" }, ready: unready }],
    [
      "start",
      "waiting",
      "has crashed, and the agent tries again",
      { status: { state: "crashed" }, ready: unready },
    ],
    ["start", "failed", "the agent has given up", { status: { state: "error" }, ready: unready }],
    ["start", "waiting", "the agent does not answer", { status: null }],
    [
      "start",
      "waiting",
      "the agent is still at it",
      { status: { operation: { type: "start", started_at: after } }, ready },
    ],
    ["stop", "succeeded", "is idle", { status: { state: "idle" }, ready: unready }],
    ["stop", "succeeded", "is down for good", { status: { state: "error" }, ready: unready }],
    ["stop", "waiting", "still runs", { ready }],
    ["stop", "waiting", "is stopping", { status: { state: "stopping" }, ready }],
    ["stop", "waiting", "the agent does not answer", { status: null }],
    ["restart", "waiting", "the old game is still there", { status: { started_at: before }, ready }],
    ["restart", "succeeded", "a new game is ready", { status: { started_at: after }, ready }],
    ["restart", "waiting", "a new game is not ready", { status: { started_at: after }, ready: unready }],
    ["restart", "failed", "the agent has given up", { status: { state: "error" }, ready: unready }],
  ])("%s: %s when it %s", (action, end, _why, seen) => {
    expect(judge({ action, startedBefore: before }, observation(seen), fresh).end).toBe(end);
  });

  test("a restart of a game whose start nobody saw ends when it is ready", () => {
    expect(judge({ action: "restart", startedBefore: null }, observation(), fresh).end).toBe("succeeded");
  });
});

describe("a game that is idle again", () => {
  const idle = observation({ status: { state: "idle" }, ready: unready });
  const busy = observation({
    status: { state: "idle", operation: { type: "restart", started_at: after } },
    ready: unready,
  });
  const job = (action: PowerAction) => ({ action, startedBefore: before });

  test.each<PowerAction>(["start", "restart"])("%s: has failed when it was seen starting", (action) => {
    const progress = judge(job(action), idle, { ...fresh, begun: true });
    expect(progress).toMatchObject({ end: "failed", error: { code: "servers.game_stopped" } });
  });

  test.each<PowerAction>(["start", "restart"])(
    "%s: has failed when it had time enough to begin",
    (action) => {
      expect(judge(job(action), idle, fresh).end).toBe("waiting");
      const progress = judge(job(action), idle, { ...fresh, settled: true });
      expect(progress).toMatchObject({ end: "failed", error: { code: "servers.game_stopped" } });
    },
  );

  test("is not judged while the agent is still at it", () => {
    expect(judge(job("restart"), busy, { begun: true, settled: true }).end).toBe("waiting");
  });
});

describe("when the time is up it says what was seen last", () => {
  const crash = {
    count: 1,
    time: before,
    exit_code: 1,
    signal: null,
    uptime: 1,
    log_tail: "",
    class: "missing_dependency",
    next_start_at: null,
  } as const;
  const state = (now: AgentState, change = {}) => ({ status: { state: now, ...change }, ready: unready });
  test.each<[PowerAction, string, Parameters<typeof observation>[0]]>([
    [
      "start",
      "The game was not ready after 120 s; the agent reported starting, not ready (starting)",
      state("starting"),
    ],
    [
      "start",
      "The game was not ready after 120 s; the agent reported crashed, not ready (starting), last crash: missing_dependency",
      state("crashed", { crash }),
    ],
    ["stop", "The game was not stopped after 120 s; the agent reported running", { ready }],
    [
      "restart",
      "The game was not ready again after 120 s; its state is not known: The agent did not answer in time",
      { status: null, error: "The agent did not answer in time", ready: unready },
    ],
  ])("%s: %s", (action, message, seen) => {
    expect(
      judge({ action, startedBefore: null }, observation(seen), {
        ...fresh,
        begun: true,
        lateAfterMs: 120_000,
      }),
    ).toEqual({
      end: "failed",
      error: { code: "servers.power_deadline", message, retryable: true },
    });
  });

  test("an end that was reached is an end, however late", () => {
    expect(
      judge({ action: "start", startedBefore: null }, observation(), { ...fresh, lateAfterMs: 120_000 }).end,
    ).toBe("succeeded");
  });
});

test("an operation keeps the public part of a fault", () => {
  const fault = coreFault(
    "upstream.rejected",
    { detail: "No.", details: { upstream: {} } },
    { cause: "hidden" },
  );
  expect(errorOf(fault)).toEqual({
    code: "upstream.rejected",
    message: "No.",
    retryable: false,
    details: { upstream: {} },
  });
});
