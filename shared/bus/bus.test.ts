import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { z } from "zod";
import { type Contract, defineContract } from "#shared/contract/define.ts";
import type { Fault } from "#shared/fault/fault.ts";
import { systemClock } from "#shared/process/clock.ts";
import { silentLogger } from "#shared/telemetry/log.ts";
import { account } from "#shared/testing/call.ts";
import { type Mesh, meshForTest } from "#shared/testing/mesh.ts";
import { sample, sampleAuthority, sampleService } from "#shared/testing/sample.ts";
import { authorityOver } from "./authority.ts";
import { client, request } from "./client.ts";
import { consume, on } from "./consume.ts";
import { isServing } from "./discover.ts";
import { publisher } from "./publisher.ts";
import { serve, type Served } from "./serve.ts";
import { ensureStreams } from "./streams.ts";
import { wakeBus } from "./wake.ts";

const reader = defineContract({
  service: "reader",
  version: "1.0.0",
  calls: [
    "sample.echo",
    "sample.secret",
    "sample.lock",
    "sample.authorize",
    "sample.authorizeAgent",
    "sample.unlock",
  ],
  consumes: ["sample.said"],
  routes: {
    idle: {
      subject: "rpc.reader.v1.page.idle",
      summary: "Served by nobody",
      policy: { auth: "service", guard: "none", idempotency: "safe", timeoutMs: 5_000 },
      request: z.object({}),
      reply: z.object({}),
      errors: {},
    },
  },
  events: {},
});
const registry = [
  sample,
  { ...reader, calls: [...reader.calls, "reader.idle"] as Contract["calls"] },
] as Contract[];

let mesh: Mesh;
let served: Served;
let release: () => void;
beforeAll(async () => {
  mesh = await meshForTest(registry);
  const slow = new Promise<void>((resolve) => (release = resolve));
  const hooks = { log: silentLogger, authority: sampleAuthority(), newOperationId: () => "smp_1" };
  served = await serve(await mesh.bus("sample"), sampleService({ slow }), hooks);
});
afterAll(async () => {
  release();
  await served.stop();
  await mesh[Symbol.asyncDispose]();
});
const fault = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.unreachable(),
    (e: Fault) => e,
  );
const caller = async () => client(await mesh.bus("reader"), sample);

describe("a call over the bus", () => {
  test("answers what the contract promises", async () => {
    expect(await (await caller()).echo({ id: "a", word: "hi" })).toEqual({ said: "a:hi" });
  });

  test("carries the actor, and the headers of the answer", async () => {
    const bus = await mesh.bus("reader");
    const meta = { actor: account("acc_7") };
    expect(await (await caller()).secret({}, meta)).toEqual({ actor: "acc_7" });
    expect((await request(bus, sample.routes.echo, { id: "a", word: "hi" })).headers).toEqual({
      "idempotency-replayed": "true",
    });
  });

  test("without an actor is made for the calling service", async () => {
    expect(await (await caller()).secret({})).toEqual({ actor: "service" });
  });

  test("ends with the callee's declared error, its details and its retry-after", async () => {
    expect(await fault((await caller()).echo({ id: "a", word: "damn" }))).toMatchObject({
      code: "sample.rude",
      status: 409,
      details: { word: "damn" },
    });
    expect(await fault((await caller()).echo({ id: "a", word: "zzz" }))).toMatchObject({
      retryAfter: 7,
      retryable: true,
    });
  });

  test("says nothing of an unexpected cause", async () => {
    const error = await fault((await caller()).echo({ id: "a", word: "crash" }));
    expect(error.code).toBe("internal.error");
    expect(JSON.stringify(error.problem("r"))).not.toContain("hunter2");
  });

  test("takes and gives back the lock of an exclusive action", async () => {
    const meta = { actor: account("acc_1") };
    expect(await (await caller()).lock({ id: "1" }, meta)).toEqual({ fence: 1 });
    expect((await fault((await caller()).lock({ id: "2" }, meta))).code).toBe("sample.gone");
  });

  test("504 when the callee is too slow, before the caller gives up by itself", async () => {
    const late = (await caller()).echo({ id: "a", word: "wait" }, { deadline: Date.now() + 150 });
    const before = performance.now();
    expect(await fault(late)).toMatchObject({ code: "service.timeout", status: 504, retryable: true });
    // Of the route's own 5 s.
    expect(performance.now() - before).toBeLessThan(4_000);
  });

  test("a deadline that has passed is not even sent", async () => {
    expect(
      (await fault((await caller()).echo({ id: "a", word: "hi" }, { deadline: Date.now() - 1 }))).code,
    ).toBe("service.timeout");
  });

  test("503 at once when nobody serves the subject", async () => {
    const error = await fault(request(await mesh.bus("reader"), reader.routes.idle, {}));
    expect(error).toMatchObject({ code: "service.unavailable", status: 503, retryable: true });
  });

  test("an answer to a subject that is no inbox is not given", async () => {
    const admin = await mesh.bus("admin");
    const seen: string[] = [];
    const subscription = admin.nc.subscribe("rpc.forged.>", {
      callback: (_, msg) => void seen.push(msg.subject),
    });
    admin.nc.publish(sample.routes.echo.subject, '{"id":"a","word":"hi"}', { reply: "rpc.forged.v1.x.y" });
    await admin.nc.flush();
    // The same connection's next call has been answered, so the forged one has been looked at.
    await (await caller()).echo({ id: "a", word: "hi" });
    await admin.nc.flush();
    subscription.unsubscribe();
    expect(seen).toEqual([]);
  });
});

test("authorityOver asks the owner and knows its errors by their public code", async () => {
  const authority = authorityOver(await mesh.bus("reader"), sample as never);
  expect(Object.keys(authority.errors)).toEqual(["sample.gone"]);
});

test("a service is found by its ping, and not when it is not there", async () => {
  expect(await isServing(await mesh.bus("admin"), "sample")).toBe(true);
  expect(await isServing(await mesh.bus("admin"), "reader")).toBe(false);
});

test("a wake reaches every worker of the service", async () => {
  const wake = wakeBus(await mesh.bus("reader"));
  const heard = Promise.withResolvers<string>();
  const end = wake.subscribe("jobs", () => heard.resolve("woken"));
  await (await mesh.bus("reader")).nc.flush();
  wake.notify("jobs");
  expect(await heard.promise).toBe("woken");
  end();
});

describe("events", () => {
  const message = (id: string, word: string) =>
    JSON.stringify({ id, key: word, version: 1, at: new Date(0).toISOString(), data: { word } });
  const subject = (word: string) => `${sample.events.said.subject}.${word}`;

  /** Collects the words that arrive; `failing` decides which deliveries are refused. */
  const collect = async (failing: (word: string) => boolean = () => false) => {
    const words: string[] = [];
    const waiting: { count: number; resolve: () => void }[] = [];
    const reaction = on(sample, "said", async ({ data }) => {
      words.push(data.word);
      for (const each of waiting) if (words.length >= each.count) each.resolve();
      if (failing(data.word)) throw new Error("not now");
    });
    const consumer = consume({
      bus: await mesh.bus("reader"),
      reaction,
      clock: systemClock,
      log: silentLogger,
      retryMs: 20,
    });
    const until = (count: number) => {
      if (words.length >= count) return Promise.resolve();
      return new Promise<void>((resolve) => waiting.push({ count, resolve }));
    };
    return { words, until, stop: () => consumer.stop() };
  };

  test("arrive once, a repeated publish is stored once, a failing reaction gets them again", async () => {
    const publish = publisher(await mesh.bus("sample"));
    const first = await publish.publish(subject("one"), "evt_1", message("evt_1", "one"));
    const again = await publish.publish(subject("one"), "evt_1", message("evt_1", "one"));
    expect(again.seq).toBe(first.seq);
    await publish.publish(subject("two"), "evt_2", message("evt_2", "two"));
    let refused = 0;
    const collected = await collect((word) => word === "two" && refused++ === 0);
    await collected.until(3);
    await collected.stop();
    // In any order: what was given to a consumer that had just stopped comes again after the others.
    expect(collected.words.toSorted()).toEqual(["one", "two", "two"]);
  });

  test("the stream's birth is told, and a lost stream is made again with its consumers", async () => {
    const publish = publisher(await mesh.bus("sample"));
    const born = await publish.streamCreated();
    const admin = await mesh.bus("admin");
    const consumer = await collect();
    await (await admin.nc.jetstreamManager()).streams.delete("EVT");
    expect((await fault(publish.streamCreated())).code).toBe("service.unavailable");
    await ensureStreams(admin, registry);
    await publish.publish(subject("three"), "evt_3", message("evt_3", "three"));
    await consumer.until(1);
    await consumer.stop();
    expect(consumer.words).toContain("three");
    expect(await publish.streamCreated()).not.toBe(born);
  }, 60_000);

  test("a consumer that is stopped while it looks itself up ends", async () => {
    await (await collect()).stop();
    const late = await collect();
    await (await mesh.bus("reader")).nc.flush();
    await late.stop();
  });

  test("what cannot be read is dropped, and does not stop what follows", async () => {
    const publish = publisher(await mesh.bus("sample"));
    await publish.publish(subject("bad"), "evt_4", "{}");
    await publish.publish(subject("good"), "evt_5", message("evt_5", "good"));
    const consumer = await collect();
    await consumer.until(1);
    await consumer.stop();
    expect(consumer.words).toEqual(["good"]);
  });
});
