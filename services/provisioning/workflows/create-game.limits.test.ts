import { describe, expect, test } from "bun:test";
import { Fault } from "#shared/fault/fault.ts";
import { creationForTest } from "../testing/creation.ts";

describe("a creation gives up", () => {
  test("on a server that does not become ready", async () => {
    await using made = await creationForTest({ settings: { PROVISIONING_READY_MS: 30 } });
    made.host.behaviour.installPolls = 1_000_000;
    const { end, actor } = await made.create();
    expect(await end()).toMatchObject({
      status: "failed",
      error: {
        code: "provisioning.not_ready",
        message: "The server was not ready after 0.03 s. Installing: download",
      },
    });
    expect(made.host.containers.size).toBe(0);
    expect(await made.quota(actor.id)).toHaveLength(0);
  });

  test("on a container that has no address", async () => {
    await using made = await creationForTest({ settings: { PROVISIONING_ADDRESS_MS: 30 } });
    // Started, and stopped again by somebody else before it is asked for its address.
    void made.host.trouble.next("POST /containers/:vmid/start", () => {
      void made.host.trouble.next("GET /containers/:vmid", () => {
        for (const container of made.host.containers.values()) container.status = "stopped";
      });
    });
    const { end } = await made.create();
    expect(await end()).toMatchObject({ status: "failed", error: { code: "provisioning.no_address" } });
    expect(made.host.containers.size).toBe(0);
  });

  test("on a host that stays away, and undoes what it can when the host is back", async () => {
    await using made = await creationForTest({ settings: { PROVISIONING_GIVE_UP_MS: 30 } });
    const back = made.host.trouble.always(/containers/, "away");
    const { until, end, actor } = await made.create();
    const undoing = await until(({ phase }) => phase === "undo:clone-container");
    expect(undoing.steps?.[1]).toMatchObject({ name: "clone-container" });
    expect(await made.quota(actor.id)).toHaveLength(1);
    back();
    expect(await end()).toMatchObject({ status: "failed", error: { code: "service.unavailable" } });
    expect(await made.quota(actor.id)).toHaveLength(0);
  });
});

test("a creation that finds no free number is undone, although there is none to look at either", async () => {
  await using made = await creationForTest({ settings: { PROVISIONING_GIVE_UP_MS: 30 } });
  const { host, registry } = made;
  const title = "No server number is free";
  void host.trouble.next("GET /containers/:vmid", () => {
    for (const vmid of registry.held()) host.putForeign(vmid);
    registry.trouble.always("reserve", () => {
      throw new Fault({ code: "servers.range_exhausted", status: 503, title, retryable: true });
    });
  });
  const { end, actor } = await made.create();
  expect(await end()).toMatchObject({ status: "failed", error: { code: "servers.range_exhausted" } });
  expect(host.containers.size).toBe(1);
  expect(await made.quota(actor.id)).toHaveLength(0);
});

test("a creation that waits for longer than it tries to reach somebody outlives a moment without host and agent", async () => {
  await using made = await creationForTest({ settings: { PROVISIONING_GIVE_UP_MS: 1 } });
  const hiccup = Promise.withResolvers<void>();
  made.host.behaviour.installPolls = 1_000_000;
  const { until, end } = await made.create();
  await until(({ message }) => message.startsWith("Installing"));
  const away = made.host.trouble.always("GET /ready", "away");
  void made.host.trouble.next("GET /containers/:vmid", () => {
    hiccup.resolve();
    return "away";
  });
  await hiccup.promise;
  away();
  made.host.behaviour.installPolls = 0;
  expect(await end()).toMatchObject({ status: "succeeded" });
});

test("no more containers are cloned at once than a storage can bear", async () => {
  await using made = await creationForTest({ settings: { PROVISIONING_CLONES_PER_STORAGE: 2 } });
  const gate = Promise.withResolvers<void>();
  let cloning = 0;
  let most = 0;
  const stop = made.host.trouble.always("POST /containers", async () => {
    most = Math.max(most, ++cloning);
    await gate.promise;
    cloning--;
  });
  const started = await Promise.all(Array.from({ length: 4 }, () => made.create()));
  const waits = "Waiting for other servers to be cloned";
  const waiting = started.map(({ until }) =>
    until(({ message, finishedAt }) => message === waits || finishedAt !== null),
  );
  await Promise.race(waiting);
  gate.resolve();
  for (const { end } of started) expect(await end()).toMatchObject({ status: "succeeded" });
  stop();
  expect(most).toBe(2);
});

test("while the host has not said whether it clones, the clone's place is not given to another", async () => {
  await using made = await creationForTest({ settings: { PROVISIONING_CLONES_PER_STORAGE: 1 } });
  const back = Promise.withResolvers<() => void>();
  void made.host.trouble.next("POST /containers", () => {
    back.resolve(made.host.trouble.always("GET /containers/:vmid", "away"));
    return "lost after";
  });
  const first = await made.create();
  await first.until(({ status }) => status === "unknown");
  const slots = () => made.query((tx) => tx<{ operationId: string }[]>`select operation_id from clone_slot`);
  const second = await made.create();
  await second.until(({ message }) => message === "Waiting for other servers to be cloned");
  for (let look = 0; look < 20; look++)
    expect([...(await slots())]).toEqual([{ operationId: first.operationId }]);
  (await back.promise)();
  for (const { end } of [first, second]) expect(await end()).toMatchObject({ status: "succeeded" });
  expect(await slots()).toHaveLength(0);
});

test("the time that a creation waits for its turn to clone is not held against it", async () => {
  await using made = await creationForTest({
    settings: { PROVISIONING_CLONES_PER_STORAGE: 1, PROVISIONING_GIVE_UP_MS: 60 },
  });
  const gate = Promise.withResolvers<void>();
  void made.host.trouble.next("POST /containers", () => gate.promise);
  const first = await made.create();
  await first.until(({ phase }) => phase === "clone-container");
  const second = await made.create();
  const begun = Date.now();
  await second.until(() => Date.now() - begun > 120);
  // Its own first try after the wait goes wrong, and it is tried again all the same.
  void made.host.trouble.next("POST /containers", "away");
  gate.resolve();
  for (const { end } of [first, second]) expect(await end()).toMatchObject({ status: "succeeded" });
});

test("a clone that has its turn and reaches nobody gives up after its time", async () => {
  await using made = await creationForTest({ settings: { PROVISIONING_GIVE_UP_MS: 30 } });
  const back = made.host.trouble.always("POST /containers", "lost before");
  const { end } = await made.create();
  const operation = await end();
  back();
  expect(operation).toMatchObject({
    status: "failed",
    error: { code: "operation.outcome_unknown", retryable: false },
  });
  expect(made.host.containers.size).toBe(0);
});
