import { afterAll, describe, expect, test } from "bun:test";
import { connect, createServer, type Server, type Socket } from "node:net";
import { chunks, MiB, still, transferForTest, until } from "./testing/pipeline.ts";

const never = () => new Promise<Response>(() => {});
const problem = (response: Response): Promise<unknown> => response.json();

/** An agent below HTTP: `then` gets the socket with the first bytes of a request. */
const servers: Server[] = [];
function bareAgent(then: (socket: Socket) => void): Promise<string> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => then(socket));
  });
  servers.push(server);
  return new Promise((resolve) =>
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      resolve(`http://127.0.0.1:${typeof address === "object" ? address?.port : 0}/`);
    }),
  );
}
afterAll(() => Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve)))));

describe("the client leaves", () => {
  test("a download: the agent knows within a second", async () => {
    const left = Promise.withResolvers<void>();
    await using t = transferForTest((request) => {
      request.signal.addEventListener("abort", () => left.resolve());
      return new Response(chunks(1_000).body);
    });
    const client = new AbortController();
    const response = await fetch(t.url, { signal: client.signal });
    await response.body?.getReader().read();
    const start = performance.now();
    client.abort();
    await left.promise;
    expect(performance.now() - start).toBeLessThan(1_000);
    await until(() => t.lines.length > 0);
    expect(t.lines).toMatchObject([{ level: "warn", transfer: "client_abort", kind: "download" }]);
  });

  test("before the answer: the agent knows as well", async () => {
    const [asked, left] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    await using t = transferForTest((request) => {
      request.signal.addEventListener("abort", () => left.resolve());
      asked.resolve();
      return never();
    });
    const client = new AbortController();
    const response = fetch(t.url, { signal: client.signal });
    await asked.promise;
    client.abort();
    expect(response).rejects.toThrow();
    await left.promise;
    expect(t.ends()).toEqual(["client_abort"]);
  });

  test.each([
    ["sized", `Content-Length: ${MiB}\r\n\r\n${"x".repeat(1_000)}`],
    ["chunked", `Transfer-Encoding: chunked\r\n\r\n3e8\r\n${"x".repeat(1_000)}\r\n`],
  ])("an upload, %s: it never looks complete to the agent", async (_, body) => {
    const [seen, ends] = [Promise.withResolvers<void>(), [] as string[]];
    let started = 0;
    const count = 20;
    await using t = transferForTest(async (request) => {
      try {
        for await (const { length } of request.body ?? [])
          if (length > 0 && ++started === count) seen.resolve();
        ends.push("complete");
      } catch {
        ends.push("broken");
      }
      return new Response("ok");
    });
    const clients = Array.from({ length: count }, () => {
      const client = connect(t.port, "127.0.0.1");
      client.on("error", () => {});
      client.write(`PUT / HTTP/1.1\r\nHost: localhost\r\n${body}`);
      return client;
    });
    await seen.promise;
    // Half of them say that they will send no more, half are gone.
    clients.forEach((client, i) => (i % 2 === 0 ? client.end() : client.resetAndDestroy()));
    await until(() => ends.length === count && t.lines.length === count);
    expect(new Set(ends)).toEqual(new Set(["broken"]));
    expect(new Set(t.ends())).toEqual(new Set(["client_abort"]));
    for (const client of clients) client.destroy();
  });
});

describe("the agent breaks off", () => {
  test.each([
    ["sized", `Content-Length: ${MiB}\r\n\r\n${"x".repeat(1_000)}`],
    ["chunked", `Transfer-Encoding: chunked\r\n\r\n3e8\r\n${"x".repeat(1_000)}\r\n`],
  ])("in the middle of a body, %s: the client's transfer is broken, not short", async (_, body) => {
    await using t = transferForTest(never);
    const agents: Socket[] = [];
    t.redirectTo(
      await bareAgent((socket) => {
        agents.push(socket);
        socket.write(`HTTP/1.1 200 OK\r\n${body}`);
      }),
    );
    const response = await fetch(t.url);
    expect(response.status).toBe(200);
    const reader = response.body?.getReader();
    const first = await reader?.read();
    expect(first?.value?.length).toBe(1_000);
    for (const socket of agents) socket.resetAndDestroy();
    expect(reader?.read()).rejects.toThrow();
    expect(t.lines).toMatchObject([
      { level: "warn", transfer: "upstream_reset", kind: "download", received: 1_000 },
    ]);
  });

  test("before its answer: 502, as one whom nobody reaches", async () => {
    await using t = transferForTest(never);
    t.redirectTo(await bareAgent((socket) => socket.resetAndDestroy()));
    const reset = await fetch(t.url);
    expect([reset.status, await problem(reset)]).toMatchObject([
      502,
      { code: "upstream.refused", retryable: true },
    ]);
    t.redirectTo("http://127.0.0.1:1/");
    const refused = await fetch(t.url, { method: "PUT", body: "x" });
    expect([refused.status, await problem(refused)]).toMatchObject([502, { code: "upstream.refused" }]);
    expect(t.ends()).toEqual(["upstream_reset", "upstream_refused"]);
  });

  test("and nothing of the ticket's token is logged or told", async () => {
    await using t = transferForTest(never);
    t.redirectTo(await bareAgent((socket) => socket.resetAndDestroy()));
    expect(JSON.stringify([await problem(await fetch(t.url)), t.lines])).not.toContain("of-the-agent");
  });
});

describe("nothing moves", () => {
  test("no answer to a download within 30 s: 504", async () => {
    await using t = transferForTest(never);
    const response = fetch(t.url);
    await until(() => t.clock.sleepers() === 1);
    await t.clock.advance(29_999);
    expect(t.lines).toEqual([]);
    await t.clock.advance(1);
    expect([(await response).status, await problem(await response)]).toMatchObject([
      504,
      { code: "upstream.timeout", details: { upstream: { service: "agent", status: null } } },
    ]);
    expect(t.ends()).toEqual(["upstream_timeout"]);
  });

  test("no answer to an upload: 504 after the longer wait", async () => {
    await using t = transferForTest(async (request) => {
      await request.bytes();
      return never();
    });
    const response = fetch(t.url, { method: "PUT", body: "x" });
    await until(() => t.clock.sleepers() === 1);
    await t.clock.advance(299_999);
    expect(t.lines).toEqual([]);
    await t.clock.advance(1);
    expect((await response).status).toBe(504);
    expect(t.ends()).toEqual(["upstream_timeout"]);
  });

  test("an agent that stops in the middle: broken off after five minutes since its last byte", async () => {
    const more = Promise.withResolvers<void>();
    await using t = transferForTest(
      () =>
        new Response(
          new ReadableStream({
            async start(controller) {
              controller.enqueue(new Uint8Array(10));
              await more.promise;
              controller.enqueue(new Uint8Array(10));
            },
          }),
        ),
    );
    const reader = (await fetch(t.url)).body?.getReader();
    expect((await reader?.read())?.value?.length).toBe(10);
    await t.clock.advance(299_999);
    more.resolve();
    expect((await reader?.read())?.value?.length).toBe(10);
    await t.clock.advance(299_999);
    expect(t.lines).toEqual([]);
    await t.clock.advance(1);
    expect(reader?.read()).rejects.toThrow();
    expect(t.lines).toMatchObject([{ transfer: "upstream_timeout", received: 20, ms: 599_999 }]);
  });

  test("a client that does not take its download: cut, and the agent is free", async () => {
    const left = Promise.withResolvers<void>();
    const file = chunks(1_000);
    await using t = transferForTest((request) => {
      request.signal.addEventListener("abort", () => left.resolve());
      return new Response(file.body);
    });
    const client = connect(t.port, "127.0.0.1");
    client.on("error", () => {});
    client.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    client.pause();
    await until(() => file.produced() > 1);
    await still(file.produced);
    await t.clock.advance(300_000);
    await until(() => t.lines.length > 0);
    await left.promise;
    expect(t.ends()).toEqual(["client_stall"]);
    client.destroy();
  });

  test("a client that does not go on with its upload: cut", async () => {
    const broken = Promise.withResolvers<void>();
    const got = Promise.withResolvers<void>();
    await using t = transferForTest(async (request) => {
      try {
        for await (const _ of request.body ?? []) got.resolve();
      } catch {
        broken.resolve();
      }
      return new Response("ok");
    });
    const client = connect(t.port, "127.0.0.1");
    client.on("error", () => {});
    client.write("PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nx");
    await got.promise;
    await still(() => t.lines.length); // until the gateway, too, waits for more
    await t.clock.advance(300_000);
    await broken.promise;
    expect(t.ends()).toEqual(["client_stall"]);
    client.destroy();
  });
});
