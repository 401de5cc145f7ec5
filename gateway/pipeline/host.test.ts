import { afterAll, describe, expect, test } from "bun:test";
import { Fault } from "#shared/fault/fault.ts";
import { checkHost, hostRules } from "./host.ts";
import { rawRequest, sendRaw } from "./testing/pipeline.ts";

const rules = hostRules({ allowed: [], publicUrl: "https://Play.Example.org:8443/portal" });
const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch(request) {
    try {
      checkHost(request, rules);
      return new Response(`served ${new URL(request.url).pathname}`);
    } catch (error) {
      return new Response(error instanceof Fault ? error.code : String(error), { status: 421 });
    }
  },
});
afterAll(() => server.stop(true));

const send = async (target: string, headers: string[], version?: string) => {
  const answer = await sendRaw(server.port ?? 0, rawRequest(target, headers, version));
  return [answer.slice(9, 12), answer.split("\r\n\r\n")[1]];
};

describe("served", () => {
  test.each([
    "localhost",
    "LocalHost:4000",
    "localhost.",
    "127.0.0.1:80",
    "[::1]:4000",
    "play.example.org",
    "PLAY.EXAMPLE.ORG:1",
  ])("Host: %s", async (host) => {
    expect(await send("/x", [`Host: ${host}`])).toEqual(["200", "served /x"]);
  });

  test("an absolute target counts for nothing: neither does it admit, nor does it lead elsewhere", async () => {
    expect(await send("http://evil.example/x", ["Host: localhost"])).toEqual(["200", "served /x"]);
    expect(await send("http://localhost/x", ["Host: evil.example"])).toEqual(["421", "request.host"]);
  });
});

describe("421 request.host", () => {
  test.each<[string, string[]]>([
    ["another name", ["Host: evil.example"]],
    ["one letter", ["Host: a"]],
    ["an empty name", ["Host:"]],
    ["two hosts", ["Host: localhost", "Host: evil.example"]],
    ["two hosts, the good one last", ["Host: evil.example", "Host: localhost"]],
    ["the same host twice", ["Host: localhost", "Host: localhost"]],
    ["a subdomain", ["Host: x.localhost"]],
    ["a name that begins alike", ["Host: localhost.evil.example"]],
    ["a name that ends alike", ["Host: evillocalhost"]],
    ["credentials before it", ["Host: localhost@evil.example"]],
    ["a path after it", ["Host: localhost/evil"]],
    ["a word after it", ["Host: localhost evil"]],
    ["a port that is none", ["Host: localhost:http"]],
    ["two dots after it", ["Host: localhost.."]],
    ["a shorter form of an address", ["Host: 127.1"]],
  ])("%s", async (_, headers) => {
    expect(await send("/x", headers)).toEqual(["421", "request.host"]);
  });

  test("none at all, in the version of HTTP that allows it", async () => {
    expect(await send("/x", [], "1.0")).toEqual(["421", "request.host"]);
    expect(await send("http://localhost/x", [], "1.0")).toEqual(["421", "request.host"]);
  });

  test("a tunnel", async () => {
    const answer = await sendRaw(
      server.port ?? 0,
      "CONNECT evil.example:80 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    );
    expect(answer).not.toContain("served");
  });
});

test("a list of its own takes the place of the names of this machine", () => {
  const own = hostRules({ allowed: ["Zpack.Example.org:443"], publicUrl: "http://localhost:4000" });
  expect([...own]).toEqual(["zpack.example.org"]);
  expect(() => hostRules({ allowed: ["a b"], publicUrl: "http://localhost" })).toThrow(
    '"a b" is no host name',
  );
});
