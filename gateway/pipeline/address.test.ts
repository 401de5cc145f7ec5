import { afterAll, describe, expect, test } from "bun:test";
import { clientAddress, networkOf } from "./address.ts";
import { parseCidrs } from "./cidr.ts";
import { rawRequest, sendRaw } from "./testing/pipeline.ts";

const proxies = parseCidrs(["10.0.0.0/8", "::1"]);
const from = (socket: string, headers: Record<string, string> = {}, trusted = proxies) =>
  clientAddress(socket, new Headers(headers), trusted);

describe("a peer that is no trusted proxy", () => {
  test("is the client, whatever it claims", () => {
    expect(from("192.0.2.7")).toEqual({ address: "192.0.2.7", claimed: false });
    expect(from("::ffff:192.0.2.7")).toEqual({ address: "192.0.2.7", claimed: false });
    expect(from("192.0.2.7", { "x-forwarded-for": "127.0.0.1" })).toEqual({
      address: "192.0.2.7",
      claimed: true,
    });
    expect(from("127.0.0.1", { "x-forwarded-for": "10.0.0.1" }, parseCidrs([]))).toEqual({
      address: "127.0.0.1",
      claimed: true,
    });
  });

  test.each(["Forwarded", "X-Real-IP", "X-Forwarded-Host", "X-Forwarded-Proto", "CF-Connecting-IP", "Via"])(
    "claims with %s as well",
    (name) => {
      expect(from("192.0.2.7", { [name]: "x" })).toEqual({ address: "192.0.2.7", claimed: true });
    },
  );
});

describe("behind a trusted proxy", () => {
  test.each<[string, string]>([
    ["192.0.2.7", "192.0.2.7"],
    ["127.0.0.1, 192.0.2.7", "192.0.2.7"],
    ["192.0.2.7, 10.0.0.9", "192.0.2.7"],
    ["1.1.1.1, 192.0.2.7, 10.0.0.9,10.0.0.8", "192.0.2.7"],
    ["192.0.2.7:52011", "192.0.2.7"],
    ["2001:db8::1", "2001:db8::1"],
    ["[2001:db8::1]:52011", "2001:db8::1"],
    ["[2001:db8::1]", "2001:db8::1"],
    ["::ffff:192.0.2.7", "192.0.2.7"],
    ["10.0.0.9", "10.0.0.9"],
    ["10.0.0.7, 10.0.0.9", "10.0.0.7"],
    ["192.0.2.7, garbage", "unknown"],
    ["192.0.2.7, unknown, 10.0.0.9", "unknown"],
    ["192.0.2.7,", "unknown"],
    ["", "unknown"],
    ["[192.0.2.7", "unknown"],
  ])("%p leads to %s", (header, expected) => {
    expect(from("10.0.0.1", { "x-forwarded-for": header })).toEqual({ address: expected, claimed: false });
  });

  test("the proxy itself, when it forwards for nobody", () => {
    expect(from("::1")).toEqual({ address: "::1", claimed: false });
  });

  test("another header than X-Forwarded-For leads to no address, rather than to the proxy's", () => {
    expect(from("10.0.0.1", { forwarded: "for=192.0.2.7" })).toEqual({ address: "unknown", claimed: false });
  });
});

test("a peer that cannot be told is nobody", () => {
  expect(from("")).toEqual({ address: "unknown", claimed: false });
});

describe("on a real socket", () => {
  const trusted = parseCidrs(["127.0.0.1"]);
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request, self) =>
      Response.json(clientAddress(self.requestIP(request)?.address ?? "", request.headers, trusted)),
  });
  afterAll(() => server.stop(true));

  test("several headers are read as one list, in their order", async () => {
    const headers = ["Host: localhost", "X-Forwarded-For: 1.1.1.1", "x-forwarded-for: 192.0.2.7"];
    const answer = await sendRaw(server.port ?? 0, rawRequest("/", headers));
    expect(answer).toContain('{"address":"192.0.2.7","claimed":false}');
  });
});

test("the network of an address is itself, or the /64 of an IPv6 client", () => {
  expect(networkOf("192.0.2.7")).toBe("192.0.2.7");
  expect(networkOf("unknown")).toBe("unknown");
  expect(networkOf("2001:db8:1:2:3:4:5:6")).toBe("2001:db8:1:2::/64");
  expect(networkOf("2001:db8:1:2::6")).toBe("2001:db8:1:2::/64");
  expect(networkOf("2001:db8::6")).toBe("2001:db8:0:0::/64");
  expect(networkOf("::1")).toBe("0:0:0:0::/64");
  expect(networkOf("fe80::1:2:3:4")).toBe("fe80:0:0:0::/64");
});
