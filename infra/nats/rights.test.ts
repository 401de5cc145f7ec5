import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Bus } from "#shared/bus/connect.ts";
import { durableName, stream } from "#shared/bus/events.ts";
import { routeSubject, rightsOf } from "./rights.ts";
import { type Mesh, meshForTest } from "#shared/testing/mesh.ts";
import { registry } from "#gateway/registry.ts";

// Each service's own user against the real server, with the rights that the contracts give: what it must not do.

let mesh: Mesh;
beforeAll(async () => {
  mesh = await meshForTest(registry);
});
afterAll(() => mesh[Symbol.asyncDispose]());

/** Resolves with the server's refusal of a subscription, or "allowed" when a round trip brought none. */
async function subscribing(bus: Bus, subject: string, queue?: string): Promise<string> {
  let refusal = "allowed";
  const callback = (err: { code?: string } | null) => void (err && (refusal = String(err.code)));
  const subscription = bus.nc.subscribe(subject, { ...(queue ? { queue } : {}), callback });
  await bus.nc.flush();
  subscription.unsubscribe();
  return refusal;
}

const calling = (bus: Bus, subject: string) =>
  bus.nc.request(subject, "{}", { timeout: 1_000 }).then(
    () => "answered",
    (err: { code?: string }) => String(err.code),
  );
const denied = "PERMISSIONS_VIOLATION";

describe.each(registry.map(({ service }) => service))("the user of %s", (name) => {
  const others = registry.filter(({ service }) => service !== name);

  test("serves its own subjects in its queue group, and nobody else's", async () => {
    const bus = await mesh.bus(name);
    expect(await subscribing(bus, `rpc.${name}.v1.>`, name)).toBe("allowed");
    for (const subject of [`rpc.${name}.v1.>`, "rpc.>", ">"])
      expect(await subscribing(bus, subject)).toBe(denied);
    expect(await subscribing(bus, `rpc.${name}.v1.>`, "other")).toBe(denied);
    for (const { service } of others)
      expect(await subscribing(bus, `rpc.${service}.v1.>`, service)).toBe(denied);
  });

  test("reads its own replies and wakes, and nobody else's", async () => {
    const bus = await mesh.bus(name);
    expect(await subscribing(bus, `_INBOX.${name}.x`)).toBe("allowed");
    const inboxes = ["_INBOX.>", "_INBOX.*.>", ...others.map(({ service }) => `_INBOX.${service}.>`)];
    const wakes = others.map(({ service }) => `wake.${service}.>`);
    for (const subject of [...inboxes, ...wakes]) expect(await subscribing(bus, subject)).toBe(denied);
  });

  test("calls what its contract names, and nothing else", async () => {
    const bus = await mesh.bus(name);
    const rights = rightsOf(registry).find(({ user }) => user === name);
    for (const other of others)
      for (const route of Object.keys(other.routes)) {
        const subject = routeSubject(registry, `${other.service}.${route}`);
        // Nobody serves here: a call that may be made finds no responder.
        expect({ subject, result: await calling(bus, subject) }).toEqual({
          subject,
          result: rights?.publish.includes(subject) ? "503" : denied,
        });
      }
  });

  test("cannot speak for others: no foreign event, no forged reply, no foreign acknowledgement", async () => {
    const bus = await mesh.bus(name);
    const refused: string[] = [];
    const status = bus.nc.status();
    const watch = (async () => {
      for await (const { type, data } of status)
        if (type === "error") refused.push(typeof data === "string" ? data : "");
    })();
    const subjects = others.flatMap(({ service, consumes }) => [
      `evt.${service}.v1.x.y.z`,
      `_INBOX.${service}.x`,
      ...consumes.map((consumed) => `$JS.ACK.${stream}.${durableName(service, consumed)}.1.1.1.1.1`),
    ]);
    for (const subject of subjects) bus.nc.publish(subject, "{}");
    await bus.nc.flush();
    await bus.nc.flush();
    (status as unknown as { stop(): void }).stop();
    await watch;
    expect(refused.length).toBe(subjects.length);
  });

  test("cannot change the stream, make a consumer, or look at another's", async () => {
    const bus = await mesh.bus(name);
    for (const api of [
      `STREAM.DELETE.${stream}`,
      `STREAM.PURGE.${stream}`,
      `STREAM.CREATE.X`,
      `STREAM.MSG.GET.${stream}`,
      `CONSUMER.CREATE.${stream}`,
      `CONSUMER.DURABLE.CREATE.${stream}.x`,
      ...others.flatMap(({ service, consumes }) =>
        consumes.map((consumed) => `CONSUMER.MSG.NEXT.${stream}.${durableName(service, consumed)}`),
      ),
    ])
      expect({ api, result: await calling(bus, `$JS.API.${api}`) }).toEqual({ api, result: denied });
  });
});
