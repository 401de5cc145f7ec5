import { connect } from "node:net";
import { gateway } from "#gateway/auth/contract.ts";
import { anonymous } from "#shared/contract/actor.ts";
import type { Policy, Route } from "#shared/contract/define.ts";
import { Fault } from "#shared/fault/fault.ts";
import { silentLogger, wrap } from "#shared/telemetry/log.ts";
import { manualClock } from "#shared/testing/clock.ts";
import type { Exchange } from "../../exchange.ts";
import { transfer } from "../transfer.ts";

/** Sends these bytes over a socket of its own and resolves with all that comes back until the other side closes. */
export function sendRaw(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = "";
    const socket = connect(port, "127.0.0.1", () => socket.write(bytes));
    socket.on("data", (chunk) => (answer += chunk.toString("latin1")));
    socket.on("close", () => resolve(answer));
    socket.on("error", reject);
  });
}

/**
 * Uploads a body over a socket of its own, framed as `framing` says (`Transfer-Encoding: chunked`, or a Content-Length),
 * no faster than it is taken, and resolves with the body of the answer.
 */
export function sendBody(port: number, framing: string, body: ReadableStream<Uint8Array>): Promise<string> {
  const chunked = framing.startsWith("Transfer-Encoding");
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let answer = "";
  const socket = connect(port, "127.0.0.1");
  socket.on("data", (chunk) => (answer += chunk.toString("latin1")));
  socket.on("close", () => resolve(answer.slice(answer.indexOf("\r\n\r\n") + 4)));
  socket.on("error", reject);
  const write = (bytes: Uint8Array | string) =>
    new Promise<void>((taken) => {
      socket.write(bytes, () => taken());
    });
  const send = async () => {
    await write(`PUT / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${framing}\r\n\r\n`);
    for await (const chunk of body) {
      if (chunked) await write(`${chunk.length.toString(16)}\r\n`);
      await write(chunk);
      if (chunked) await write("\r\n");
    }
    if (chunked) await write("0\r\n\r\n");
  };
  send().catch(reject);
  return promise;
}

/** A request to one of the gateway's own routes, as the stages of the pipeline get it. */
export function exchangeForTest(
  name: keyof typeof gateway.routes,
  o: { headers?: Record<string, string>; socketAddress?: string; guard?: Policy["guard"] } = {},
): Exchange {
  const own: Route = gateway.routes[name];
  const { http = { method: "GET", path: "/" } } = own;
  const route: Route = { ...own, policy: { ...own.policy, guard: o.guard ?? "none" } };
  return {
    contract: gateway,
    name,
    route,
    binding: http,
    request: new Request(`http://localhost${http.path}`, { headers: o.headers ?? {} }),
    params: {},
    socketAddress: o.socketAddress ?? "127.0.0.1",
    address: "",
    traceparent: "",
    requestId: "",
    actor: anonymous,
    input: {},
    headers: {},
    rest: () => {},
    settled: [],
    log: silentLogger,
  };
}

/** A request as bytes, with exactly these header lines and a connection that ends with the answer. */
export function rawRequest(target: string, headers: readonly string[], version = "1.1"): string {
  return [`GET ${target} HTTP/${version}`, ...headers, "Connection: close", "", ""].join("\r\n");
}

const open = { port: 0, hostname: "127.0.0.1", idleTimeout: 0, maxRequestBodySize: Number.MAX_SAFE_INTEGER };

/**
 * A gateway that does nothing but transfers, in front of an agent that answers as `agent` says. `lines` are what the
 * transfers logged; `clock` stands still.
 */
export function transferForTest(agent: (request: Request) => Response | Promise<Response>) {
  const clock = manualClock();
  const lines: Record<string, unknown>[] = [];
  const log = wrap((level, fields) => lines.push({ level, ...fields }), {});
  const holder = Bun.serve({ ...open, fetch: agent });
  const headers = { authorization: "Bearer of-the-agent" };
  const state = { target: `http://127.0.0.1:${holder.port}/files?path=a%20b` };
  const front = Bun.serve({
    ...open,
    async fetch(request) {
      const [kind, method] =
        request.method === "GET" ? (["download", "GET"] as const) : (["upload", "PUT"] as const);
      const ticket = { method, url: state.target, headers };
      try {
        const limits = { firstByteMs: 30_000, stallMs: 300_000 };
        return await transfer({ request, ticket, kind, log, limits, clock });
      } catch (error) {
        if (!(error instanceof Fault)) throw error;
        return Response.json(error.problem("id"), { status: error.status });
      }
    },
  });
  return {
    url: `http://127.0.0.1:${front.port}/`,
    port: front.port ?? 0,
    clock,
    lines,
    /** How transfers ended, in the order in which they did. */
    ends: () => lines.map((line) => line["transfer"]),
    /** Sends the transfers to another agent. */
    redirectTo: (target: string) => void (state.target = target),
    [Symbol.asyncDispose]: async () => {
      await front.stop(true);
      await holder.stop(true);
    },
  };
}

/** Resolves when the condition holds; rejects after `withinMs` milliseconds. */
export async function until(condition: () => boolean, withinMs = 5_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Resolves when a count has not changed for a while. */
export async function still(count: () => unknown): Promise<void> {
  let [last, since] = [count(), 0];
  await until(() => {
    since = count() === last ? since + 1 : 0;
    last = count();
    return since > 30;
  });
}

export const MiB = 2 ** 20;

/** `count` chunks of one MiB, produced when they are asked for; `produced()` tells how many were. */
export function chunks(count: number, end: "close" | "hang" = "close") {
  let produced = 0;
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (produced < count) controller.enqueue(new Uint8Array(MiB).fill(produced++ % 251));
        else if (end === "close") controller.close();
        else return new Promise<void>(() => {});
        return undefined;
      },
    },
    { highWaterMark: 0 },
  );
  return { body, produced: () => produced };
}

/** The sha256 of a body, of which one chunk at a time is held; `each` is called for every one. */
export async function digest(body: ReadableStream<Uint8Array> | null, each = () => {}): Promise<string> {
  const hash = new Bun.CryptoHasher("sha256");
  for await (const chunk of body ?? []) {
    hash.update(chunk);
    each();
  }
  return hash.digest("hex");
}
