import { describe, expect, test } from "bun:test";
import { chunks, digest, MiB, sendBody, sendRaw, still, transferForTest, until } from "./testing/pipeline.ts";

const size = 128;
// Large against what garbage, sockets and buffers make of the memory of client, gateway and agent in one process.
const large = 320;

describe("a download", () => {
  test("passes status, body and the headers that describe it", async () => {
    await using t = transferForTest(
      () =>
        new Response("part", {
          status: 206,
          headers: {
            "content-type": "text/plain",
            "content-range": "bytes 0-3/9",
            "content-disposition": 'attachment; filename="a b"',
            etag: '"7"',
          },
        }),
    );
    const response = await fetch(t.url);
    expect([response.status, await response.text()]).toEqual([206, "part"]);
    expect(response.headers.toJSON()).toMatchObject({
      "content-type": "text/plain",
      "content-range": "bytes 0-3/9",
      "content-disposition": 'attachment; filename="a b"',
      etag: '"7"',
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      "content-security-policy": "sandbox; default-src 'none'",
    });
    await until(() => t.lines.length === 1);
    expect(t.lines).toMatchObject([
      { level: "debug", transfer: "done", kind: "download", sent: 0, received: 4 },
    ]);
  });

  test("asks the agent for what the client asked for, with the ticket's rights and not the client's", async () => {
    const seen: { url: string; headers: Record<string, string> }[] = [];
    await using t = transferForTest((request) => {
      seen.push({ url: new URL(request.url).search, headers: request.headers.toJSON() });
      return new Response("x");
    });
    const answer = await sendRaw(
      t.port,
      [
        "GET /?path=other HTTP/1.1",
        "Host: localhost",
        "Authorization: Bearer of-the-client",
        "Cookie: session=1",
        "X-Forwarded-For: 192.0.2.7",
        "Range: bytes=0-3",
        "If-Range: W/x",
        "Keep-Alive: timeout=5",
        "TE: trailers",
        "Proxy-Authorization: Basic x",
        "If-Match: 7",
        "Connection: close, if-match",
        "",
        "",
      ].join("\r\n"),
    );
    expect(answer).toStartWith("HTTP/1.1 200");
    expect(seen).toHaveLength(1);
    const { host: _, connection: __, ...headers } = seen[0]?.headers ?? {};
    expect(seen[0]?.url).toBe("?path=a%20b");
    expect(headers).toEqual({
      authorization: "Bearer of-the-agent",
      "accept-encoding": "identity",
      range: "bytes=0-3",
      "if-range": "W/x",
      "user-agent": expect.any(String),
      accept: "*/*",
    });
  });

  test("lets nothing of the agent act on our origin, or outlive its hop", async () => {
    await using t = transferForTest(
      () =>
        new Response("x", {
          headers: {
            "set-cookie": "a=1",
            "access-control-allow-origin": "*",
            "service-worker-allowed": "/",
            "keep-alive": "timeout=5",
            connection: "close, last-modified",
            "last-modified": "Tue, 01 Jan 2030 00:00:00 GMT",
            "cache-control": "private",
          },
        }),
    );
    const { headers } = await fetch(t.url);
    const passed = Object.keys(headers.toJSON()).filter(
      (name) => !["date", "transfer-encoding", "content-length"].includes(name),
    );
    expect(passed.toSorted()).toEqual([
      "cache-control",
      "content-security-policy",
      "content-type",
      "x-content-type-options",
    ]);
    expect(headers.get("cache-control")).toBe("private");
  });

  test("passes a compressed body as it is", async () => {
    const packed = Bun.gzipSync(Buffer.from("hello"));
    await using t = transferForTest((request) =>
      request.headers.get("accept-encoding") === "gzip"
        ? new Response(packed, { headers: { "content-encoding": "gzip" } })
        : new Response("not asked for"),
    );
    const response = await fetch(t.url, { headers: { "accept-encoding": "gzip" }, decompress: false });
    expect(response.headers.get("content-encoding")).toBe("gzip");
    expect(Buffer.from(await response.arrayBuffer())).toEqual(Buffer.from(packed));
  });

  test("of 304 has no body", async () => {
    await using t = transferForTest(() => new Response(null, { status: 304, headers: { etag: '"7"' } }));
    const response = await fetch(t.url, { headers: { "if-none-match": '"7"' } });
    expect([response.status, response.headers.get("etag"), await response.text()]).toEqual([304, '"7"', ""]);
    expect(t.ends()).toEqual(["done"]);
  });

  test("of many MiB arrives whole, and little of it is held", async () => {
    await using t = transferForTest(() => new Response(chunks(large).body));
    const growth = memory();
    const response = await fetch(t.url);
    expect(await digest(response.body, growth.sample)).toBe(await digest(chunks(large).body));
    expect(growth.peak()).toBeLessThan((large / 2) * MiB);
  });

  test("waits for a client that does not read", async () => {
    const file = chunks(size);
    await using t = transferForTest(() => new Response(file.body));
    const response = await fetch(t.url);
    const reader = response.body?.getReader();
    await reader?.read();
    await still(file.produced);
    // What fits into the sockets and buffers on the way, and no more.
    expect(file.produced()).toBeLessThan(size / 2);
    let received = 0;
    for (;;) {
      const { done, value } = (await reader?.read()) ?? { done: true };
      if (done) break;
      received += value?.length ?? 0;
    }
    expect(file.produced()).toBe(size);
    expect(received).toBeGreaterThan(0);
  });
});

describe("an upload", () => {
  test("sends the body in chunks, with its type and condition, and answers with the agent's words", async () => {
    const seen: unknown[] = [];
    await using t = transferForTest(async (request) => {
      const { headers } = request;
      seen.push(request.method, await request.text());
      for (const name of [
        "content-type",
        "if-match",
        "content-length",
        "transfer-encoding",
        "authorization",
        "cookie",
      ])
        seen.push(headers.get(name));
      return Response.json({ path: "a b", etag: "8" }, { status: 201, headers: { etag: '"8"' } });
    });
    const response = await fetch(t.url, {
      method: "PUT",
      body: "level-name=world",
      headers: { "content-type": "text/plain", "if-match": '"7"', authorization: "Bearer x", cookie: "a=1" },
    });
    expect(seen).toEqual([
      "PUT",
      "level-name=world",
      "text/plain",
      '"7"',
      null,
      "chunked",
      "Bearer of-the-agent",
      null,
    ]);
    expect([response.status, response.headers.get("etag")]).toEqual([201, '"8"']);
    expect(await response.json()).toEqual({ path: "a b", etag: "8" });
    await until(() => t.lines.length === 1);
    expect(t.lines).toMatchObject([{ transfer: "done", kind: "upload", sent: 16 }]);
  });

  test("without a body is one of nothing", async () => {
    await using t = transferForTest(
      async (request) => new Response(`${(await request.bytes()).length} bytes`),
    );
    expect(await (await fetch(t.url, { method: "PUT" })).text()).toBe("0 bytes");
  });

  test.each([
    ["chunked", "Transfer-Encoding: chunked"],
    ["of a known length", `Content-Length: ${large * MiB}`],
  ])("of many MiB, %s, arrives whole, and little of it is held", async (_, framing) => {
    const growth = memory();
    await using t = transferForTest(
      async (request) => new Response(await digest(request.body, growth.sample)),
    );
    const answer = await sendBody(t.port, framing, chunks(large).body);
    expect(answer).toEndWith(await digest(chunks(large).body));
    expect(growth.peak()).toBeLessThan((large / 2) * MiB);
  });

  test("waits for an agent that does not read", async () => {
    const go = Promise.withResolvers<void>();
    await using t = transferForTest(async (request) => {
      await go.promise;
      return new Response(await digest(request.body));
    });
    const file = chunks(size);
    const response = fetch(t.url, { method: "PUT", body: file.body });
    await until(() => file.produced() > 1);
    await still(file.produced);
    expect(file.produced()).toBeLessThan(size / 2);
    go.resolve();
    expect(await (await response).text()).toBe(await digest(chunks(size).body));
  });
});

/** How much the process has grown at its largest sample, in bytes. */
function memory() {
  const before = process.memoryUsage.rss();
  let peak = before;
  return {
    sample: () => void (peak = Math.max(peak, process.memoryUsage.rss())),
    peak: () => peak - before,
  };
}
