import { afterAll, describe, expect, test } from "bun:test";
import { type Actor, anonymous } from "#shared/contract/actor.ts";
import { Fault } from "#shared/fault/fault.ts";
import { newId } from "#shared/ids/ids.ts";
import { updateOperation } from "#shared/saga/operation.ts";
import { provisioning as contract } from "../contract.ts";
import { deleteServer, type Planted, plantServer } from "../testing/deletion.ts";
import { account, provisioningForTest } from "../testing/provisioning.ts";

const provisioning = await provisioningForTest({ settings: { PROVISIONING_HOST_TIMEOUT_MS: 600 } });
afterAll(() => provisioning[Symbol.asyncDispose]());
const { host, registry, query } = provisioning;
const operator = { ...provisioning.newAccount(), role: "operator" as const };

const plant = (o: Parameters<typeof plantServer>[1] = {}) => plantServer(provisioning, o);
const remove = (server: Planted, o: Parameters<typeof deleteServer>[2] = {}) =>
  deleteServer(provisioning, server, o);

/** The fault with which a deletion is refused. */
async function refusal(asked: Promise<unknown>): Promise<Fault> {
  const error = await asked.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof Fault)) throw new Error(`not refused, but ${String(error)}`);
  return error;
}

const operationsOf = async ({ instanceId }: Planted) =>
  (await query((tx) => tx<{ id: string }[]>`select id from operation where instance_id = ${instanceId}`)).map(
    ({ id }) => id,
  );

/** Nothing was accepted, and the next one is free to try. */
async function expectUntouched(server: Planted): Promise<void> {
  expect(await operationsOf(server)).toEqual([]);
  expect(registry.live.has(server.instanceId)).toBe(true);
  expect(host.containers.get(server.vmid)).toBe(server.container);
  server.container.status = "stopped";
  const { operationId } = await remove(server);
  expect(await operationsOf(server)).toEqual([operationId]);
}

describe("deleteServer", () => {
  test("202: accepted, stored and queued, with everything that a client follows it by", async () => {
    const server = await plant();
    const { reply, headers, operationId } = await remove(server);
    const statusUrl = `/api/operations/${operationId}`;
    expect(contract.routes.deleteServer.reply.parse(reply)).toMatchObject({
      ok: true,
      operationId: expect.stringMatching(/^prv_[0-9a-z]{26}$/),
      statusUrl,
      requestId: expect.stringMatching(/^[0-9a-f]{32}$/),
      operation: {
        id: operationId,
        type: "delete-server",
        status: "queued",
        serverId: String(server.vmid),
        finishedAt: null,
        statusUrl,
      },
    });
    expect(headers).toEqual({ location: statusUrl });
    expect(registry.live.has(server.instanceId)).toBe(true);
    const jobs = await query((tx) => tx`select queue from job where key = ${operationId}`);
    expect([...jobs]).toEqual([{ queue: "provisioning-locked" }]);
  });

  test("202 again: ten at once with one key are one operation and have one answer", async () => {
    const server = await plant();
    const key = newId("key");
    const answers = await Promise.all(Array.from({ length: 10 }, () => remove(server, { key })));
    expect(new Set(answers.map(({ reply }) => JSON.stringify(reply))).size).toBe(1);
    expect(answers.filter(({ headers }) => headers["idempotency-replayed"] === "true")).toHaveLength(9);
    expect(await operationsOf(server)).toEqual([answers[0]?.operationId ?? ""]);
  });

  test("202 again: an equal request was accepted while the host was silent to this one", async () => {
    const server = await plant();
    const key = newId("key");
    const silent = host.trouble.next("GET /containers/:vmid", "held");
    const waiting = remove(server, { key });
    await silent;
    const first = await remove(server, { key });
    expect((await waiting).reply).toEqual(first.reply);
    expect(registry.locks.get(server.instanceId)?.operationId).toBe(first.operationId);
  });

  test("202 again: the same key when the server is long gone, and its number is another's", async () => {
    const server = await plant();
    const key = newId("key");
    const first = await remove(server, { key });
    await query((tx) => updateOperation(tx, first.operationId, { status: "succeeded" }));
    registry.live.delete(server.instanceId);
    const later = await remove(server, { key });
    expect(later.reply).toEqual(first.reply);
    expect(later.headers).toEqual({
      location: `/api/operations/${first.operationId}`,
      "idempotency-replayed": "true",
    });
  });

  test("202: a key whose answer was forgotten since is a new one, though its operation is still known", async () => {
    const server = await plant();
    const key = newId("key");
    const first = await remove(server, { key });
    await query((tx) => tx`delete from idempotency where key = ${key}`);
    registry.locks.delete(server.instanceId);
    const second = await remove(server, { key });
    expect(second.headers["idempotency-replayed"]).toBeUndefined();
    expect((await operationsOf(server)).toSorted()).toEqual(
      [first.operationId, second.operationId].toSorted(),
    );
    expect((await remove(server, { key })).reply).toEqual(second.reply);
  });

  test("202: one key of two accounts is two keys", async () => {
    const key = newId("key");
    const one = await remove(await plant(), { key });
    const other = await remove(await plant(), { key });
    expect(other.operationId).not.toBe(one.operationId);
  });

  test("202: a stranger's container under the number, running or not, refuses nothing", async () => {
    const server = await plant();
    Object.assign(server.container, { description: "do not touch", tags: [], status: "running" });
    expect(await operationsOf(server)).toEqual([]);
    const { operationId } = await remove(server);
    expect(await operationsOf(server)).toEqual([operationId]);
  });

  test("202: an operator deletes what runs by force, and the audit log is told; without force he is refused", async () => {
    const server = await plant({ running: true });
    expect(await refusal(remove(server, { actor: operator }))).toMatchObject({
      code: "provisioning.still_running",
    });
    await remove(server, { actor: operator, force: true });
    const [told] = await query(
      (tx) => tx<{ payload: unknown }[]>`
        select payload from outbox where subject like 'evt.provisioning.v1.audit.recorded.%'
          and payload->>'target' = ${server.instanceId}`,
    );
    expect(told?.payload).toMatchObject({
      actor: operator.id,
      via: "ses_1",
      action: "server.delete.force",
      target: server.instanceId,
      customerId: server.actor.id,
      address: "192.0.2.7",
      details: { vmid: server.vmid },
    });
  });

  test("400 request.invalid: an id that is no number", async () => {
    const asked = provisioning.call("deleteServer", { id: "../5000" }, account("acc_1"));
    expect(await refusal(asked)).toMatchObject({ status: 400, code: "request.invalid" });
  });

  test.each(["", "with space", "k".repeat(256)])("400 idempotency.key_invalid: %j", async (key) => {
    const server = await plant();
    expect(await refusal(remove(server, { key }))).toMatchObject({ code: "idempotency.key_invalid" });
    await expectUntouched(server);
  });

  test("401 auth.required: nobody", async () => {
    const asked = remove(await plant(), { actor: anonymous });
    expect(await refusal(asked)).toMatchObject({ status: 401, code: "auth.required" });
  });

  test("403 auth.forbidden: a customer with force", async () => {
    const server = await plant({ running: true });
    expect(await refusal(remove(server, { force: true }))).toMatchObject({
      status: 403,
      code: "auth.forbidden",
    });
    await expectUntouched(server);
  });

  test("404 servers.not_found: another customer's server is like none", async () => {
    const server = await plant();
    const somebody: Actor = account("acc_somebody");
    const theirs = await refusal(remove(server, { actor: somebody, key: newId("key") }));
    const none = await refusal(remove({ ...server, vmid: 999_999 }, { actor: somebody }));
    expect(theirs).toMatchObject({ status: 404, code: "servers.not_found" });
    expect(none.problem("r")).toEqual(theirs.problem("r"));
    await expectUntouched(server);
  });

  test("409 provisioning.still_running: by the host's own word", async () => {
    const server = await plant({ running: true });
    const fault = await refusal(remove(server, { key: newId("key") }));
    expect(fault).toMatchObject({ status: 409, code: "provisioning.still_running", retryable: false });
    await expectUntouched(server);
  });

  test("409 servers.busy: two at once without a key are one operation, which the second is told", async () => {
    const server = await plant();
    const [one, other] = await Promise.allSettled([remove(server), remove(server)]);
    const accepted = [one, other].flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
    const refused = [one, other].flatMap((each) => (each.status === "rejected" ? [each.reason] : []));
    expect(accepted).toHaveLength(1);
    expect(refused).toMatchObject([
      { status: 409, code: "servers.busy", details: { operation: { id: accepted[0]?.operationId } } },
    ]);
    expect(await operationsOf(server)).toHaveLength(1);
  });

  test("422 idempotency.key_reused: the same key for another server, or with force", async () => {
    const server = await plant();
    const other = await plant({ actor: server.actor });
    const key = newId("key");
    await remove(server, { key });
    expect(await refusal(remove(other, { key }))).toMatchObject({ code: "idempotency.key_reused" });
    await expectUntouched(other);
    const mine = await plant({ actor: operator });
    await remove(mine, { key });
    expect(await refusal(remove(mine, { key, force: true }))).toMatchObject({
      status: 422,
      code: "idempotency.key_reused",
    });
  });

  test("502 provisioning.host_refused: the host's own words, and nothing is accepted", async () => {
    const server = await plant();
    void host.trouble.next("GET /containers/:vmid", "fails");
    expect(await refusal(remove(server))).toMatchObject({
      status: 502,
      code: "provisioning.host_refused",
      details: { upstream: { service: "host", body: "the host says internal.error" } },
    });
    await expectUntouched(server);
  });

  test.each(["away", "lost before", "held"] as const)(
    "503 service.unavailable: the host's answer is %s; nothing is accepted",
    async (mishap) => {
      const server = await plant();
      void host.trouble.next("GET /containers/:vmid", mishap);
      expect(await refusal(remove(server, { key: newId("key") }))).toMatchObject({
        status: 503,
        code: "service.unavailable",
        retryable: true,
      });
      await expectUntouched(server);
    },
  );
});
