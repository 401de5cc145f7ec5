import { describe, expect, test } from "bun:test";
import { normalizeAddress, parseCidrs } from "./cidr.ts";

describe("an address", () => {
  test.each<[string, string | undefined]>([
    ["192.0.2.7", "192.0.2.7"],
    [" 192.0.2.7 ", "192.0.2.7"],
    ["::ffff:192.0.2.7", "192.0.2.7"],
    ["::FFFF:c000:0207", "192.0.2.7"],
    ["0:0:0:0:0:ffff:c000:207", "192.0.2.7"],
    ["2001:DB8:0:0:0:0:0:1", "2001:db8::1"],
    ["fe80::1%eth0", "fe80::1"],
    ["::1", "::1"],
    ["010.0.0.1", undefined],
    ["127.1", undefined],
    ["1.2.3.4.5", undefined],
    ["localhost", undefined],
    ["", undefined],
  ])("%p is %p", (text, expected) => {
    expect(normalizeAddress(text)).toBe(expected);
  });
});

describe("a list of ranges", () => {
  test.each<[string, string, boolean]>([
    ["10.0.0.0/8", "10.255.255.255", true],
    ["10.0.0.0/8", "11.0.0.0", false],
    ["10.1.2.3/8", "10.9.9.9", true],
    ["192.0.2.7", "192.0.2.7", true],
    ["192.0.2.7", "192.0.2.8", false],
    ["192.0.2.6/31", "192.0.2.7", true],
    ["0.0.0.0/0", "203.0.113.9", true],
    ["0.0.0.0/0", "2001:db8::1", false],
    ["fd00::/8", "fdab::1", true],
    ["fd00::/8", "fe80::1", false],
    ["::1", "::1", true],
    ["::ffff:10.0.0.0/104", "10.1.1.1", true],
    ["::ffff:10.0.0.0/104", "11.1.1.1", false],
    ["10.0.0.0/8", "unknown", false],
    ["10.0.0.0/8", "", false],
  ])("%s: %s %p", (range, address, expected) => {
    expect(parseCidrs([range]).has(address)).toBe(expected);
  });

  test("of IPv6 holds no IPv4 address, however wide it is", () => {
    for (const range of ["::/0", "::1/64", "::/1"]) expect(parseCidrs([range]).has("8.8.8.8")).toBe(false);
    expect(parseCidrs(["0.0.0.0/0"]).has("2001:db8::1")).toBe(false);
  });

  test("holds an address that one of its ranges holds", () => {
    const list = parseCidrs(["10.0.0.0/8", "fd00::/8"]);
    expect([list.size, list.has("10.0.0.1"), list.has("fd00::1"), list.has("9.0.0.1")]).toEqual([
      2,
      true,
      true,
      false,
    ]);
    expect(parseCidrs([]).has("10.0.0.1")).toBe(false);
  });

  test.each([
    "10.0.0.0/33",
    "10.0.0.0/-1",
    "10.0.0.0/",
    "10.0.0.0/8/8",
    "10.0.0/8",
    "::/129",
    "::ffff:1.2.3.4/95",
    "x",
  ])("%s is refused by name", (entry) => {
    expect(() => parseCidrs(["10.0.0.0/8", entry])).toThrow(`"${entry}"`);
  });
});
