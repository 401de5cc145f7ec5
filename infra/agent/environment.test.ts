import { expect, test } from "bun:test";
import { readEnvironment } from "./environment.ts";

const least = { AGENT_TOKEN: "0123456789abcdef", AGENT_ROOT: "/srv/agent" };

test("token and root are enough", () => {
  expect(readEnvironment(least)).toMatchObject({
    token: least.AGENT_TOKEN,
    root: "/srv/agent",
    bind: "127.0.0.1",
    port: 18_888,
    timing: { crashBackoffMs: [30_000, 60_000, 120_000], crashResetMs: 30_000, stopMs: 10_000 },
  });
});

test("the times are settings", () => {
  const { timing } = readEnvironment({ ...least, AGENT_CRASH_BACKOFF_MS: "1,2", AGENT_CRASH_RESET_MS: "3" });
  expect(timing).toMatchObject({ crashBackoffMs: [1, 2], crashResetMs: 3 });
});

test("everything that is missing or wrong is named at once, and no value is repeated", () => {
  const wrong = { AGENT_TOKEN: "too-short", AGENT_PORT: "99999", AGENT_CRASH_BACKOFF_MS: "soon" };
  const attempt = () => readEnvironment(wrong);
  for (const name of ["AGENT_TOKEN", "AGENT_ROOT", "AGENT_PORT", "AGENT_CRASH_BACKOFF_MS"]) {
    expect(attempt).toThrow(name);
  }
  expect(attempt).not.toThrow("too-short");
});
