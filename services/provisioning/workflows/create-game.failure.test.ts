import { afterAll, describe, expect, test } from "bun:test";
import type { Operation } from "#shared/contract/operation.ts";
import { creationForTest } from "../testing/creation.ts";

const made = await creationForTest();
afterAll(() => made[Symbol.asyncDispose]());
const { host, registry, create, instanceOf, quota, query } = made;

type Started = Awaited<ReturnType<typeof create>>;

/** The container of one creation, found as the host knows it: by its mark. */
async function containersOf({ operationId }: Started) {
  const instanceId = await instanceOf(operationId);
  return [...host.containers.values()].filter(
    ({ description, tags }) => description.includes(instanceId) || tags.join().includes(instanceId),
  );
}

async function expectUndone(started: Started, operation: Operation, failedAt: string): Promise<void> {
  expect(operation).toMatchObject({ status: "failed", result: null });
  expect(operation.steps?.find(({ status }) => status === "failed")?.name).toBe(failedAt);
  expect(await containersOf(started)).toEqual([]);
  expect(await quota(started.actor.id)).toHaveLength(0);
  expect(registry.live.has(await instanceOf(started.operationId))).toBe(false);
  const tables = await query((tx) =>
    Promise.all([
      tx`select 1 from agent_token where operation_id = ${started.operationId}`,
      tx`select 1 from clone_slot where operation_id = ${started.operationId}`,
    ]),
  );
  expect(tables.map((rows) => rows.length)).toEqual([0, 0]);
}

const changes = [
  ["POST /containers", "clone-container"],
  ["PUT /containers/:vmid", "configure-container"],
  ["POST /containers/:vmid/start", "start-container"],
] as const;

describe("the host answers 500", () => {
  test.each(changes)("to %s: the creation fails and leaves nothing", async (request, step) => {
    const held = registry.held();
    void host.trouble.next(request, "fails");
    const started = await create();
    const operation = await started.end();
    await expectUndone(started, operation, step);
    expect(registry.held()).toEqual(held);
    expect(operation.error).toEqual({
      code: "provisioning.host_refused",
      message: "The host refused: the host says internal.error",
      retryable: false,
      details: { upstream: { service: "host", status: null, body: "the host says internal.error" } },
    });
  });
});

describe("the host's answer is lost", () => {
  test.each(changes)("after %s took effect: it is looked up and found to be ours", async (request) => {
    const asked = host.log.filter((each) => each === request).length;
    const lost = host.trouble.next(request, "lost after");
    const started = await create();
    await lost;
    const operation = await started.end();
    expect(operation).toMatchObject({ status: "succeeded" });
    expect(await containersOf(started)).toHaveLength(1);
    // The configuration has no trace that could be looked up, so it alone is sent again.
    const again = request.startsWith("PUT") ? 1 : 0;
    expect(host.log.filter((each) => each === request)).toHaveLength(asked + 1 + again);
  });

  test.each(changes)("before %s took effect: it is asked for again", async (request) => {
    void host.trouble.next(request, "lost before");
    const started = await create();
    expect(await started.end()).toMatchObject({ status: "succeeded" });
    expect(await containersOf(started)).toHaveLength(1);
  });

  test("and the host stays silent: the operation says unknown, and nothing is deleted", async () => {
    const deletions = () => host.log.filter((each) => each.startsWith("DELETE")).length;
    const before = deletions();
    const back = Promise.withResolvers<() => void>();
    void host.trouble.next("POST /containers", () => {
      back.resolve(host.trouble.always("GET /containers/:vmid", "away"));
      return "lost after";
    });
    const started = await create();
    const unknown = await started.until(({ status }) => status === "unknown");
    expect(unknown).toMatchObject({ phase: "clone-container", finishedAt: null, error: null });
    expect(await containersOf(started)).toHaveLength(1);
    (await back.promise)();
    expect(await started.end()).toMatchObject({ status: "succeeded" });
    expect(deletions()).toBe(before);
  });
});

describe("the host is away for a while", () => {
  test.each([...changes.map(([request]) => request), "GET /containers/:vmid", "POST /config", "GET /status"])(
    "at %s: the creation goes on when it is back",
    async (request) => {
      for (let times = 0; times < 3; times++) void host.trouble.next(request, "away");
      const started = await create();
      expect(await started.end()).toMatchObject({ status: "succeeded" });
      expect(await containersOf(started)).toHaveLength(1);
    },
  );

  test.each(["DELETE /containers/:vmid", "POST /containers/:vmid/stop"])(
    "at %s: the undoing goes on when it is back",
    async (request) => {
      host.behaviour.installError = "The disk is full.";
      for (let times = 0; times < 2; times++) void host.trouble.next(request, "away");
      void host.trouble.next(request, "lost after");
      void host.trouble.next(request, "fails");
      const started = await create();
      const operation = await started.end();
      delete host.behaviour.installError;
      await expectUndone(started, operation, "wait-ready");
    },
  );
});

describe("the registry", () => {
  const calls = ["reserve", "activate", "mergePayload", "findInstance"];

  test.each(calls)(
    "does not answer %s at first: it is asked again, and there is one server",
    async (call) => {
      void registry.trouble.next(call, "lost after");
      void registry.trouble.next(call, "lost before");
      const started = await create();
      const operation = await started.end();
      expect(operation).toMatchObject({ status: "succeeded" });
      expect(registry.live.get(await instanceOf(started.operationId))?.vmid).toBe(Number(operation.serverId));
    },
  );

  test.each([
    ["activate", "persist-instance"],
    ["mergePayload", "publish-edge"],
    ["findInstance", "confirm"],
  ])("refuses %s: everything is undone", async (call, step) => {
    void registry.trouble.next(call, "fails");
    const started = await create();
    await expectUndone(started, await started.end(), step);
  });

  test("does not answer while a creation is undone: the undoing waits for it", async () => {
    void registry.trouble.next("findInstance", "fails");
    void registry.trouble.next("archive", "lost after");
    void registry.trouble.next("release", "lost before");
    void registry.trouble.next("mergePayload", () => {
      void registry.trouble.next("mergePayload", "lost before");
    });
    const started = await create();
    await expectUndone(started, await started.end(), "confirm");
  });
});

describe("the agent", () => {
  test("cannot install: the operation fails with the agent's own sentence", async () => {
    host.behaviour.installError = "There is no flying-squid 9.9 in the package store.";
    const started = await create();
    const operation = await started.end();
    delete host.behaviour.installError;
    await expectUndone(started, operation, "wait-ready");
    expect(operation.error).toMatchObject({
      code: "provisioning.agent_failed",
      message: "There is no flying-squid 9.9 in the package store.",
      retryable: false,
      details: { upstream: { service: "agent", body: { error: { code: "install.failed" } } } },
    });
  });
});

test("a container that lost its mark is not ours any more: nobody touches it", async () => {
  let stranger = 0;
  void host.trouble.next("PUT /containers/:vmid", () => {
    const last = [...host.containers.values()].at(-1);
    if (last) last.description = "somebody made this theirs";
    stranger = last?.vmid ?? 0;
    return "lost before";
  });
  const started = await create();
  const operation = await started.end();
  expect(operation).toMatchObject({ status: "failed", error: { code: "provisioning.container_lost" } });
  expect(host.containers.get(stranger)).toMatchObject({ description: "somebody made this theirs" });
  expect(await quota(started.actor.id)).toHaveLength(0);
});
