import { expect, test } from "bun:test";
import { readEnvironment } from "./environment.ts";

const least = { AGENT_ROOT: "/srv/agent" };

test("the root is enough", () => {
  expect(readEnvironment(least)).toMatchObject({
    root: "/srv/agent",
    bind: "127.0.0.1",
    port: 18_888,
    timing: { crashBackoffMs: [30_000, 60_000, 120_000], crashResetMs: 30_000, stopMs: 10_000 },
  });
});

test("where the game listens is the host's to say, or else the configuration's", () => {
  expect(readEnvironment(least)).not.toHaveProperty("gamePort");
  expect(readEnvironment({ ...least, AGENT_GAME_PORT: "25600" }).gamePort).toBe(25_600);
});

test("a port that the host holds is one that it says so of", () => {
  expect(readEnvironment(least).portIsHeld).toBe(false);
  expect(readEnvironment({ ...least, AGENT_PORT_HELD: "1" }).portIsHeld).toBe(true);
  expect(() => readEnvironment({ ...least, AGENT_PORT_HELD: "yes" })).toThrow("AGENT_PORT_HELD");
});

test("the times are settings", () => {
  const { timing } = readEnvironment({ ...least, AGENT_CRASH_BACKOFF_MS: "1,2", AGENT_CRASH_RESET_MS: "3" });
  expect(timing).toMatchObject({ crashBackoffMs: [1, 2], crashResetMs: 3 });
});

test("everything that is missing or wrong is named at once, and no value is repeated", () => {
  const wrong = { AGENT_PORT: "99999", AGENT_CRASH_BACKOFF_MS: "soon" };
  const attempt = () => readEnvironment(wrong);
  for (const name of ["AGENT_ROOT", "AGENT_PORT", "AGENT_CRASH_BACKOFF_MS"]) {
    expect(attempt).toThrow(name);
  }
  expect(attempt).not.toThrow("soon");
});
