import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { hostForTest } from "./testing/local-host.ts";
import { HostError } from "./host-driver.ts";
import { localDriver } from "./local.ts";

const host = hostForTest();
afterAll(() => host.stop());
const driver = localDriver({ ...host, timeoutMs: 10_000, slowTimeoutMs: 10_000 });
const container = { vmid: 5000, hostname: "a-5000", description: "mine", memoryMiB: 512 };

beforeEach(() => host.containers.clear());

const kindOf = (call: Promise<unknown>) =>
  call.then(
    () => "none",
    (error: unknown) => (error instanceof HostError ? error.kind : error),
  );

test("the life of a container", async () => {
  expect(await driver.locate(5000)).toBeUndefined();
  await driver.create(container);
  await driver.configure(5000, { tags: ["t"], memoryMiB: 1024, agentToken: "x".repeat(16) });
  const made = { ...container, memoryMiB: 1024, tags: ["t"], node: "local", status: "stopped" };
  expect(await driver.locate(5000)).toMatchObject(made);
  expect(await driver.inventory()).toMatchObject([made]);
  expect(await driver.address(5000)).toBeUndefined();
  await driver.start(5000);
  expect(await driver.address(5000)).toEqual({
    ip: "127.0.0.1",
    agentPort: Number(new URL(host.url).port),
    gamePort: expect.any(Number),
    idePort: expect.any(Number),
  });
  await driver.stop(5000, { timeoutMs: 10 });
  await driver.destroy(5000);
  await driver.destroy(5000);
  expect(await driver.locate(5000)).toBeUndefined();
});

describe("a failure is", () => {
  test("`taken` for a VMID that exists", async () => {
    host.putForeign(5000);
    expect(await kindOf(driver.create(container))).toBe("taken");
  });

  test("`refused` for a 500, a wrong token and a delete of what runs: never taken for gone", async () => {
    void host.trouble.next("GET /containers/:vmid", "fails");
    expect(await kindOf(driver.locate(5000))).toBe("refused");
    const stranger = localDriver({ ...host, token: "wrong", timeoutMs: 10_000, slowTimeoutMs: 10_000 });
    expect(await kindOf(stranger.locate(5000))).toBe("refused");
    expect(await kindOf(stranger.destroy(5000))).toBe("refused");
    await driver.create(container);
    await driver.start(5000);
    expect(await kindOf(driver.destroy(5000))).toBe("refused");
  });

  test("`unavailable` for a host that is stopping or not there, and for an agent that was killed at its start", async () => {
    void host.trouble.next("POST /containers", "away");
    expect(await kindOf(driver.create(container))).toBe("unavailable");
    void host.trouble.next("POST /containers/:vmid/start", "ended");
    expect(await kindOf(driver.start(5000))).toBe("unavailable");
    const nobody = localDriver({
      ...host,
      url: "http://127.0.0.1:1",
      timeoutMs: 10_000,
      slowTimeoutMs: 10_000,
    });
    expect(await kindOf(nobody.create(container))).toBe("unavailable");
  });

  test("`unknown` for an answer that is late, or not the host's", async () => {
    void host.trouble.next("POST /containers", "held");
    const hasty = localDriver({ ...host, timeoutMs: 50, slowTimeoutMs: 50 });
    expect(await kindOf(hasty.create(container))).toBe("unknown");
    void host.trouble.next("POST /containers/:vmid/start", "lost after");
    expect(await kindOf(driver.start(5000))).toBe("unknown");
    expect(await driver.locate(5000)).toMatchObject({ status: "running" });
  });
});
