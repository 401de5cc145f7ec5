import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import type { Actor } from "#shared/contract/actor.ts";
import { Fault } from "#shared/fault/fault.ts";
import { newId } from "#shared/ids/ids.ts";
import { until } from "#shared/testing/call.ts";
import { creationForTest } from "../testing/creation.ts";
import { deleteServer, plantServer } from "../testing/deletion.ts";
import { freeAccount, untilOperation } from "../testing/provisioning.ts";

// What other systems got wrong when a host did not answer clearly, for both kinds of servers.

const made = await creationForTest({
  settings: {
    PROVISIONING_HOST_TIMEOUT_MS: 1_200,
    PROVISIONING_HOST_SLOW_MS: 1_200,
    PROVISIONING_STOP_MS: 20,
  },
});
afterAll(async () => {
  host.trouble.letGo();
  await made[Symbol.asyncDispose]();
});
const { host, registry, create, instanceOf, quota, query, newAccount } = made;

// What one test leaves under way would meet what the next one plans.
beforeEach(async () => {
  const open = () => query((tx) => tx`select id from operation where finished_at is null`);
  await until(open, (rows) => rows.length === 0);
});

const looks = "GET /containers/:vmid";
const count = (request: string) => host.log.filter((each) => each === request).length;
/** The containers that carry the name of an operation's instance. */
async function containersOf({ operationId }: { operationId: string }) {
  const instanceId = await instanceOf(operationId);
  return [...host.containers.values()].filter(({ description }) => description.includes(instanceId));
}
describe.each(["game", "dev"] as const)("a %s server", (ctype) => {
  test.each(["POST /containers", "PUT /containers/:vmid", "POST /containers/:vmid/start"])(
    "the host answers 500 to %s: no row, no container, no number, no quota is left half-made",
    async (request) => {
      const held = registry.held();
      void host.trouble.next(request, "fails");
      const started = await create({ ctype });
      expect(await started.end()).toMatchObject({ status: "failed" });
      expect(await containersOf(started)).toEqual([]);
      expect(registry.live.has(await instanceOf(started.operationId))).toBe(false);
      expect(registry.held()).toEqual(held);
      expect(await quota(started.actor.id)).toHaveLength(0);
    },
  );

  test.each(["POST /containers", "POST /containers/:vmid/start"])(
    "the host times out at %s: unknown, looked up, adopted because it is ours, and nothing is deleted",
    async (request) => {
      const [asked, deleted] = [count(request), count("DELETE /containers/:vmid")];
      const back = Promise.withResolvers<() => void>();
      void host.trouble.next(request, () => {
        back.resolve(host.trouble.always(looks, "away"));
        return "held";
      });
      const started = await create({ ctype });
      await started.until(({ status }) => status === "unknown");
      (await back.promise)();
      expect(await started.end()).toMatchObject({ status: "succeeded" });
      expect(await containersOf(started)).toHaveLength(1);
      expect([count(request), count("DELETE /containers/:vmid")]).toEqual([asked + 1, deleted]);
    },
  );

  test("the host times out and what stands there then is not ours: another number, a finding, never touched", async () => {
    let vmid = 0;
    void host.trouble.next("POST /containers", () => {
      vmid = registry.held().find((number) => !host.containers.has(number)) ?? 0;
      host.putForeign(vmid);
      return "lost before";
    });
    const started = await create({ ctype });
    const operation = await started.end();
    expect(operation).toMatchObject({ status: "succeeded" });
    expect(operation.serverId).not.toBe(String(vmid));
    expect(host.containers.get(vmid)).toMatchObject({ description: "do not touch", tags: [] });
    const findings = await query((tx) => tx`select kind from finding where subject = ${String(vmid)}`);
    expect([...findings]).toEqual([{ kind: "foreign_container" }]);
    host.containers.delete(vmid);
  });

  test.each(["denied", "forbidden", "fails", "held", "away"] as const)(
    "'%s', when it is asked what is left to undo, never means gone: it is asked until it says so",
    async (mishap) => {
      host.behaviour.installError = "The disk is full.";
      const back = Promise.withResolvers<() => void>();
      void host.trouble.next("GET /status", () => back.resolve(host.trouble.always(looks, mishap)));
      const started = await create({ ctype });
      const stop = await back.promise;
      await started.until(({ phase, message }) => phase.startsWith("undo:") && message.endsWith("again"));
      delete host.behaviour.installError;
      expect(await containersOf(started)).toHaveLength(1);
      expect(await quota(started.actor.id)).toHaveLength(1);
      const [container] = await containersOf(started);
      expect(registry.held()).toContain(container?.vmid ?? 0);
      stop();
      expect(await started.end(10_000)).toMatchObject({ status: "failed" });
      expect(await containersOf(started)).toEqual([]);
      expect(await quota(started.actor.id)).toHaveLength(0);
    },
  );

  test.each(["denied", "forbidden", "fails"] as const)(
    "'%s', after the answer to a clone was lost, never means that there is none: none is left behind",
    async (mishap) => {
      const back = Promise.withResolvers<() => void>();
      void host.trouble.next("POST /containers", () => {
        back.resolve(host.trouble.always(looks, mishap));
        return "lost after";
      });
      const asked = count("POST /containers");
      const started = await create({ ctype });
      const stop = await back.promise;
      await started.until(({ phase }) => phase === "undo:clone-container");
      expect(await containersOf(started)).toHaveLength(1);
      stop();
      expect(await started.end(10_000)).toMatchObject({ status: "failed" });
      expect(await containersOf(started)).toEqual([]);
      expect(count("POST /containers")).toBe(asked + 1);
    },
  );

  test("asked for ten times at once with one key: one server, ten equal answers; the key with another body: 422", async () => {
    const actor = newAccount();
    const key = newId("key");
    const ask = (more: object = {}) => made.call("createServer", { ctype, ...more }, actor, key);
    const answers = await Promise.all(Array.from({ length: 10 }, () => ask()));
    expect(new Set(answers.map(({ reply }) => JSON.stringify(reply))).size).toBe(1);
    expect(ask({ memoryMiB: 2_048 })).rejects.toMatchObject({
      status: 422,
      code: "idempotency.key_reused",
    });
    const [first] = answers.map(({ reply }) => reply as { operationId: string });
    const operationId = first?.operationId ?? "";
    await untilOperation(made, operationId, ({ finishedAt }) => finishedAt !== null);
    expect(await containersOf({ operationId })).toHaveLength(1);
    expect(await quota(actor.id)).toHaveLength(1);
  });

  test("asked for by a double click without a key: one server", async () => {
    const actor = newAccount();
    const clicks = [1, 2].map(() => made.call("createServer", { ctype }, actor));
    const ids = (await Promise.all(clicks)).map(
      ({ reply }) => (reply as { operationId: string }).operationId,
    );
    expect(new Set(ids).size).toBe(1);
    expect(await quota(actor.id)).toHaveLength(1);
    await untilOperation(made, ids[0] ?? "", ({ finishedAt }) => finishedAt !== null);
  });
});

describe("a limit of two servers", () => {
  const limits = { ...freeAccount("").limits, servers: 2, memoryMiB: 65_536 };

  /** Asks for `n` servers of both kinds at once; the operations of those that were accepted. */
  async function storm(actor: Actor, n: number): Promise<string[]> {
    const asked = Array.from({ length: n }, (_, i) =>
      made.call("createServer", { ctype: i % 2 ? "game" : "dev", name: newId("srv") }, actor, newId("key")),
    );
    const accepted: string[] = [];
    for (const each of await Promise.allSettled(asked)) {
      if (each.status === "fulfilled")
        accepted.push((each.value.reply as { operationId: string }).operationId);
      else if (!(each.reason instanceof Fault && each.reason.code === "provisioning.quota_exceeded"))
        throw each.reason;
    }
    return accepted;
  }
  const ended = (id: string) => untilOperation(made, id, ({ finishedAt }) => finishedAt !== null);

  test("twenty creates of both kinds at once make two", async () => {
    const actor = newAccount({ limits });
    const accepted = await storm(actor, 20);
    expect(accepted).toHaveLength(2);
    for (const id of accepted) expect(await ended(id)).toMatchObject({ status: "succeeded" });
    expect(await quota(actor.id)).toHaveLength(2);
  });

  test("holds while servers are deleted at the same time, each of which gives its place back exactly once", async () => {
    const actor = newAccount({ limits });
    const servers = [await plantServer(made, { actor }), await plantServer(made, { actor, ctype: "dev" })];
    let most = 0;
    const watch = async () => void (most = Math.max(most, (await quota(actor.id)).length));
    const deletions = await Promise.all(
      servers.flatMap((server) => {
        const key = newId("key");
        return [deleteServer(made, server, { key }), deleteServer(made, server, { key })];
      }),
    );
    const accepted: string[] = [];
    for (let round = 0; accepted.length < 2 && round < 50; round++) {
      accepted.push(...(await storm(actor, 20)));
      await watch();
    }
    for (const { end } of deletions) expect(await end()).toMatchObject({ status: "succeeded" });
    accepted.push(...(await storm(actor, 20)));
    for (const id of accepted) expect(await ended(id)).toMatchObject({ status: "succeeded" });
    await watch();
    expect(accepted).toHaveLength(2);
    expect(most).toBe(2);
    expect([...registry.live.values()].filter(({ customerId }) => customerId === actor.id)).toHaveLength(2);
  });

  test("is free again after a creation that failed, exactly once", async () => {
    const actor = newAccount({ limits });
    void host.trouble.next("POST /containers", "fails");
    const accepted = await storm(actor, 20);
    const ends = (await Promise.all(accepted.map(ended))).map(({ status }) => status);
    expect(ends.filter((status) => status === "failed")).toHaveLength(1);
    // Where the failure was quick, a request of the same storm has already taken the place.
    const succeeded = ends.length - 1;
    expect(await storm(actor, 20)).toHaveLength(2 - succeeded);
    expect(await quota(actor.id)).toHaveLength(2);
  });
});
