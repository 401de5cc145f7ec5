import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { until } from "./pipeline/testing/pipeline.ts";
import { bodyMs, type GatewayForTest, gatewayForTest, problem } from "./testing/gateway.ts";
import { json, rawClient } from "./testing/raw.ts";

// Requests that no contract could accept, as bytes on a socket: each is refused, and harms nobody.

let gateway: GatewayForTest;
beforeAll(async () => {
  gateway = await gatewayForTest();
});
afterAll(() => gateway[Symbol.asyncDispose]());
const { get, post } = rawClient(() => gateway.port);

describe("a request that is out of bounds", () => {
  const words = "/api/words/a";
  const large = `{"word":"${"x".repeat(300_000)}"}`;
  const chunked = (body: string) => `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
  const nested = `{"word":${"[".repeat(500_000)}${"]".repeat(500_000)}}`;
  const many = Array.from({ length: 65 }, (_, i) => `a${i}=1`).join("&");

  test.each<[string, () => Promise<string>, string]>([
    ["a declared body that is too large", () => post(words, json(large), large), "413 request.too_large"],
    [
      "a chunked body that is too large",
      () => post(words, ["Content-Type: application/json", "Transfer-Encoding: chunked"], chunked(large)),
      "413 request.too_large",
    ],
    ["a megabyte of nesting", () => post(words, json(nested), nested), "413 request.too_large"],
    [
      "a little less of it",
      () =>
        post(words, json(nested.replaceAll(/([[\]])\1{4}/g, "$1")), nested.replaceAll(/([[\]])\1{4}/g, "$1")),
      "400 request.invalid",
    ],
    ["invalid JSON", () => post(words, json("{"), "{"), "400 request.invalid"],
    [
      "another content type",
      () => post(words, ["Content-Type: text/xml", "Content-Length: 2"], "{}"),
      "415 request.media_type",
    ],
    ["no content type", () => post(words, ["Content-Length: 2"], "{}"), "415 request.media_type"],
    [
      "NUL in a body",
      () => post(words, json('{"word":"a\\u0000b"}'), '{"word":"a\\u0000b"}'),
      "400 request.invalid",
    ],
    [
      "half of a character",
      () => post(words, json('{"word":"\\ud800x"}'), '{"word":"\\ud800x"}'),
      "400 request.invalid",
    ],
    ["a parameter twice", () => post(`${words}?x=1&x=2`, json("{}"), "{}"), "400 request.invalid"],
    [
      "a path that cannot be decoded",
      () => post("/api/words/%ED%A0%80", json("{}"), "{}"),
      "400 request.invalid",
    ],
    ["a path with NUL", () => post("/api/words/%00", json("{}"), "{}"), "400 request.invalid"],
    ["too many parameters", () => post(`${words}?${many}`, json("{}"), "{}"), "400 request.invalid"],
    ["a body of two lengths", () => post(words, ["Content-Length: 2", "Content-Length: 3"], "{}"), "400"],
    [
      "a body of two framings",
      () => post(words, ["Content-Length: 2", "Transfer-Encoding: chunked"], "0\r\n\r\n"),
      "400",
    ],
    [
      "a header that is too large",
      () => get("/api/secret", "Host: localhost", `X: ${"x".repeat(20_000)}`),
      "431",
    ],
  ])("%s", async (_, send, expected) => {
    expect(await send()).toBe(expected);
    const next = await gateway.send("POST", words, { word: "hi" });
    expect(await next.json()).toEqual({ said: "a:hi" });
  });

  test.each(["__proto__", "constructor", "prototype"])("a member named %s changes nothing", async (name) => {
    const body = `{"${name}":{"word":"hi","isAdmin":true,"prototype":{"isAdmin":true}},"word":"ho"}`;
    expect(await (await gateway.send("POST", words, body)).json()).toEqual({ said: "a:ho" });
    const query = await gateway.send("POST", `${words}?${name}=1&word=hu`, {});
    expect(await query.json()).toEqual({ said: "a:hu" });
    expect(({} as Record<string, unknown>)["isAdmin"]).toBeUndefined();
  });

  test("a body that trickles is answered 408 when its time is over, and its connection closed", async () => {
    const socket = connect(gateway.port, "127.0.0.1");
    let answer = "";
    socket.on("data", (chunk) => (answer += chunk.toString("latin1")));
    const closed = new Promise((resolve) => socket.once("close", resolve));
    const before = gateway.clock.sleepers();
    socket.write(`POST ${words} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n`);
    socket.write("Content-Length: 100\r\n\r\n{");
    await until(() => gateway.clock.sleepers() > before);
    await gateway.clock.advance(bodyMs - 1);
    socket.write('"');
    expect(answer).toBe("");
    await gateway.clock.advance(1);
    await closed;
    expect(answer).toMatch(/^HTTP\/1.1 408 (.|\r\n)*\r\nconnection: close\r\n/i);
    expect(JSON.parse(answer.slice(answer.indexOf("\r\n\r\n")))).toMatchObject({
      status: 408,
      code: "request.timeout",
      retryable: true,
    });
    expect(gateway.clock.sleepers()).toBe(before);
    expect((await gateway.send("POST", words, { word: "hi" })).status).toBe(200);
    expect(gateway.clock.sleepers()).toBe(before);
  });

  test("a client that leaves in the middle of its body harms nobody", async () => {
    const socket = connect(gateway.port, "127.0.0.1");
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.write(`POST ${words} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n`);
    socket.write('Content-Length: 100\r\n\r\n{"word":', () => socket.destroy());
    await closed;
    expect((await gateway.send("POST", words, { word: "hi" })).status).toBe(200);
  });
});

describe("a field that no contract could accept", () => {
  test.each<[string, string, object]>([
    ["a parameter of the query", "?word=%ED%A0%80", {}],
    ["a parameter that is there twice", "?word=hi&word=ho", {}],
    ["a member of the body", "", { word: "a\u0000b" }],
  ])("is named: %s", async (_, query, body) => {
    const answer = await gateway.send("POST", `/api/words/a${query}`, body);
    expect(answer.status).toBe(400);
    expect(await problem(answer)).toMatchObject({
      code: "request.invalid",
      details: { issues: [{ path: "word" }] },
    });
  });

  test.each(["", " ", "with space", "k".repeat(256), "k\u00e9y"])("Idempotency-Key: %j", async (key) => {
    const line = `Idempotency-Key: ${key}`;
    const body = '{"word":"hi"}';
    expect(await post("/api/words/a", [line, ...json(body)], body)).toBe("400 idempotency.key_invalid");
  });
});
