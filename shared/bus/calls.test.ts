import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import type { Fault } from "#shared/fault/fault.ts";
import { wrap } from "#shared/telemetry/log.ts";
import { back, lost } from "#shared/testing/mesh.ts";
import { natsForTest, type TestNats } from "#shared/testing/nats.ts";
import { type Bus, closeBus, connectBus } from "./connect.ts";
import { headersOf } from "./headers.ts";

const users = `authorization { users = [
  { user: asker, password: p, permissions: { publish: ["q.>"], subscribe: ["_INBOX.asker.>"] } }
  { user: server, password: p }
] }`;

let nats: TestNats;
let asker: Bus;
let server: Bus;
const logged: Record<string, unknown>[] = [];
const connectAs = (name: string, pingMs = 20_000) =>
  connectBus({
    name,
    url: nats.url,
    user: name,
    password: "p",
    log: wrap((_, fields, message) => logged.push({ ...fields, message }), {}),
    pingMs,
    dialMs: 100,
  });
const echo = (bus: Bus, subject: string) =>
  bus.nc.subscribe(subject, {
    callback: (_, msg) =>
      void msg.respond(msg.data, { headers: headersOf({ Seen: msg.headers?.get("Sent") }) }),
  });
beforeAll(async () => {
  nats = await natsForTest({ jetstream: false, config: users });
  asker = await connectAs("asker");
  server = await connectAs("server");
  echo(server, "q.echo");
  server.nc.subscribe("q.never", { callback: () => {} });
  await server.nc.flush();
});
beforeEach(() => void logged.splice(0));
afterAll(async () => {
  await closeBus(asker);
  await closeBus(server);
  await nats[Symbol.asyncDispose]();
});

const ask = (subject: string, o: { timeoutMs?: number; body?: string } = {}) =>
  asker.calls.ask(subject, o.body ?? "hello", { timeoutMs: o.timeoutMs ?? 5_000 });
const fault = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.unreachable(),
    (error: Fault) => error,
  );
const away = { code: "service.unavailable", status: 503, retryable: true };

/** Resolves when the client has begun so many attempts to connect. */
const attempts = async (bus: Bus, count: number) => {
  for await (const status of bus.nc.status()) {
    const type: string = status.type;
    if (type === "reconnecting" && --count === 0) return;
  }
};

/** Connections to a port of this machine that are open at the caller's end. */
const openSockets = (port: number) =>
  readFileSync("/proc/net/tcp", "utf8")
    .split("\n")
    .filter((line) => new RegExp(`:${port.toString(16).padStart(4, "0")} 01 `, "i").test(line)).length;

describe("a call", () => {
  test("is answered, each by its own answer", async () => {
    const words = Array.from({ length: 200 }, (_, i) => `word ${i}`);
    const answers = await Promise.all(words.map((body) => ask("q.echo", { body })));
    expect(answers.map((answer) => answer.string())).toEqual(words);
  });

  test("carries headers both ways, whatever is in their values", async () => {
    const value = 'a: "b", ü – c';
    const answer = await asker.calls.ask("q.echo", "", {
      timeoutMs: 1_000,
      headers: headersOf({ Sent: value, Empty: "", Missing: undefined }),
    });
    expect(answer.headers?.get("Seen")).toBe(value);
    expect(answer.headers?.keys()).toEqual(["Seen"]);
  });

  test("is not made with a header that would become two", () => {
    expect(() => headersOf({ Sent: "a\r\nMesh-Actor: {}" })).toThrow("more than one line");
    expect(() => headersOf({ Sent: "a\nb" })).toThrow("more than one line");
  });

  test("503 at once when nobody listens", async () => {
    expect(await fault(ask("q.nobody"))).toMatchObject(away);
  });

  test("504 after its time", async () => {
    expect(await fault(ask("q.never", { timeoutMs: 20 }))).toMatchObject({
      code: "service.timeout",
      status: 504,
      retryable: true,
    });
  });

  test("500 at once when its maker has no right to make it, and a line in the log", async () => {
    expect(await fault(ask("other.thing"))).toMatchObject({ code: "internal.error", status: 500 });
    expect(logged).toContainEqual(
      expect.objectContaining({ operation: "publish", subject: "other.thing" }) as never,
    );
  });
});

test("503 at once when the server dies, while it is away, and served again when it is back", async () => {
  const waiting = fault(ask("q.never", { timeoutMs: 60_000 }));
  await asker.nc.flush();
  await nats.kill();
  expect(await waiting).toMatchObject(away);
  const before = performance.now();
  expect(await fault(ask("q.echo", { timeoutMs: 60_000 }))).toMatchObject(away);
  expect(performance.now() - before).toBeLessThan(5_000);
  await lost(asker, server);
  await nats.restart();
  await back(asker, server);
  expect((await ask("q.echo")).string()).toBe("hello");
});

test("a server that falls silent is noticed; once it wakes up the connection is whole, and stays so", async () => {
  const [caller, callee] = await Promise.all([connectAs("asker", 100), connectAs("server", 100)]);
  echo(callee, "q.still");
  await callee.nc.flush();
  const before = openSockets(nats.port);
  process.kill(nats.pid, "SIGSTOP");
  const waiting = fault(caller.calls.ask("q.still", "hello", { timeoutMs: 60_000 }));
  await Promise.all([lost(caller), lost(callee)]);
  expect(await waiting).toMatchObject(away);
  // Several attempts to connect are accepted by the kernel and given up by us.
  await Promise.all([attempts(caller, 4), attempts(callee, 4)]);
  process.kill(nats.pid, "SIGCONT");
  // A busy machine may keep a pong waiting, and so lose a connection once more: what counts is that it comes to rest.
  const answer = () => caller.calls.ask("q.still", "hello", { timeoutMs: 5_000 }).catch(() => undefined);
  for (;;) {
    await Promise.all([back(caller), back(callee)]);
    if ((await answer())?.string() === "hello") break;
  }
  // The attempts that were given up left nothing behind that could disturb it later.
  while (openSockets(nats.port) !== before) await Bun.sleep(5);
  expect(logged.filter(({ type }) => type === "reconnect").length).toBeGreaterThanOrEqual(2);
  await Promise.all([closeBus(caller), closeBus(callee)]);
});

test("a first connection to a server that says nothing is given up", async () => {
  await using silent = await natsForTest({ jetstream: false });
  process.kill(silent.pid, "SIGSTOP");
  const connecting = connectBus({
    name: "early",
    url: silent.url,
    user: "",
    password: "",
    log: asker.log,
    waitMs: 100,
    dialMs: 100,
  });
  expect(await fault(connecting)).toMatchObject(away);
  process.kill(silent.pid, "SIGCONT");
});
