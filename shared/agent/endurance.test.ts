import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { agentClient } from "./client.ts";
import { AgentError } from "./error.ts";

// What an agent may do to whoever polls it, tens of thousands of times: no warning, no descriptor and no memory may be
// left of it. A tenth of the calls is made unless FULL is set.

const token = "a-token-only-for-tests";
const total = process.env["FULL"] ? 50_000 : 5000;
const atOnce = 50;

const answer = (head: string, body: string) => `HTTP/1.1 ${head}\r\ncontent-type: text/html\r\n${body}`;
const sized = (body: string) => `content-length: ${body.length}\r\n\r\n${body}`;

/** What happens on the wire, by the path that the client's address begins with. */
const deeds: Record<string, (socket: Socket) => void> = {
  "/well": (socket) => void socket.write(answer("200 OK", sized('{"ready":true}'))),
  "/html": (socket) => void socket.write(answer("500 Oh No", sized("<h1>Internal Server Error</h1>"))),
  "/refusal": (socket) => void socket.write(answer("409 Conflict", sized('{"error":"Busy.","code":"busy"}'))),
  "/half": (socket) => void socket.end(answer("200 OK", 'content-length: 500\r\n\r\n{"ready":tr')),
  "/chunk": (socket) => void socket.end(answer("200 OK", 'transfer-encoding: chunked\r\n\r\n20\r\n{"rea')),
  "/garbage": (socket) => void socket.end("this is not HTTP\r\n\r\n"),
  "/reset": (socket) => void socket.resetAndDestroy(),
  "/late-reset": (socket) =>
    void socket.write(answer("200 OK", 'content-length: 500\r\n\r\n{"'), () => socket.resetAndDestroy()),
  "/closed": (socket) => void socket.end(),
  "/silent": () => {},
  "/endless": (socket) => void socket.write(answer("200 OK", "content-length: 500\r\n\r\n{")),
};

const kindOf: Record<string, AgentError["kind"]> = {
  "/html": "answered",
  "/refusal": "answered",
  "/silent": "silent",
  "/endless": "silent",
};

async function agentsForTest() {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    // The client goes away where it has waited long enough.
    socket.on("error", () => {});
    socket.on("data", (request) => {
      const [, path = ""] = /^GET (\/[a-z-]+)\/ready /.exec(request.toString("latin1")) ?? [];
      deeds[path]?.(socket);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    open,
    [Symbol.asyncDispose]: async () => {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** As little as there can be: what is still to be collected is no growth. */
function memory(): { resident: number; heap: number } {
  for (let i = 0; i < 3; i++) Bun.gc(true);
  const { rss, heapUsed } = process.memoryUsage();
  return { resident: rss / 1024 / 1024, heap: heapUsed / 1024 / 1024 };
}
const descriptors = () => readdirSync("/proc/self/fd").length;

test(`${total} calls, most of them failing in every way there is, leave nothing behind`, async () => {
  await using agents = await agentsForTest();
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => void warnings.push(warning);
  process.on("warning", onWarning);
  const wrong: string[] = [];
  const kinds = [...Object.keys(deeds), "/refused"];

  async function ask(turn: number): Promise<void> {
    const kind = kinds[turn % kinds.length] ?? "";
    const address = kind === "/refused" ? "http://127.0.0.1:1" : agents.url + kind;
    const timeoutMs = kindOf[kind] === "silent" ? 25 : 5000;
    const call = agentClient({ address, token, timeoutMs }).ready();
    const outcome = await call.then(
      ({ ready }) => (ready ? "ready" : "not ready"),
      (error: unknown) => (error instanceof AgentError ? error.kind : String(error)),
    );
    const wanted = kind === "/well" ? "ready" : (kindOf[kind] ?? "refused");
    if (outcome !== wanted) wrong.push(`${kind}: ${outcome}`);
  }
  async function calls(from: number, to: number): Promise<void> {
    for (let at = from; at < to; at += atOnce)
      await Promise.all(Array.from({ length: Math.min(atOnce, to - at) }, (_, i) => ask(at + i)));
  }

  // What a first use keeps (connections of the pool, compiled code) comes before the measure.
  const warm = total / 5;
  await calls(0, warm);
  const before = { ...memory(), descriptors: descriptors() };
  await calls(warm, total);
  const after = { ...memory(), descriptors: descriptors() };
  process.off("warning", onWarning);

  const round = (n: number) => n.toFixed(1);
  process.stdout.write(
    `${total} calls: resident ${round(before.resident)} -> ${round(after.resident)} MiB, ` +
      `heap ${round(before.heap)} -> ${round(after.heap)} MiB, ` +
      `descriptors ${before.descriptors} -> ${after.descriptors}, warnings ${warnings.length}\n`,
  );
  expect([...new Set(wrong)]).toEqual([]);
  expect(warnings).toEqual([]);
  expect(after.descriptors - before.descriptors).toBeLessThan(20);
  expect(after.heap - before.heap).toBeLessThan(8);
  expect(after.resident - before.resident).toBeLessThan(32);
}, 300_000);
