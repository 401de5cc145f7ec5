import { describe, expect, test } from "bun:test";
import { silentLogger, wrap } from "#shared/telemetry/log.ts";
import { parseCidrs } from "./cidr.ts";
import { type AddressRules, checkAddress, guardIp } from "./guard-ip.ts";
import { exchangeForTest } from "./testing/pipeline.ts";

const rules = (o: Partial<Record<keyof AddressRules, string[]>> = {}): AddressRules => ({
  trustedProxies: parseCidrs(o.trustedProxies ?? []),
  internal: parseCidrs(o.internal ?? []),
  operator: parseCidrs(o.operator ?? []),
});
type Guard = Parameters<typeof checkAddress>[0];
const admitted = (guard: Guard, address: string, by: AddressRules, claimed = false) => {
  try {
    checkAddress(guard, { address, claimed }, by, silentLogger);
    return true;
  } catch (error) {
    expect(error).toMatchObject({ status: 403, code: "guard.ip_denied" });
    return false;
  }
};

describe("internal", () => {
  test.each<[string, string[], boolean]>([
    ["127.0.0.1", [], true],
    ["127.8.8.8", [], true],
    ["::1", [], true],
    ["192.0.2.7", [], false],
    ["unknown", [], false],
    ["192.0.2.7", ["192.0.2.0/24"], true],
    ["127.0.0.1", ["192.0.2.0/24"], false],
    ["unknown", ["0.0.0.0/0", "::/0"], false],
  ])("%s with the list %p: %p", (address, internal, expected) => {
    expect(admitted("internal", address, rules({ internal }))).toBe(expected);
  });

  test("a claim to forward for somebody fails, wherever it comes from", () => {
    expect(admitted("internal", "127.0.0.1", rules(), true)).toBe(false);
    expect(admitted("internal", "192.0.2.7", rules({ internal: ["0.0.0.0/0"] }), true)).toBe(false);
  });
});

describe("operator", () => {
  test.each<[string, string[], boolean]>([
    ["192.0.2.7", [], true],
    ["unknown", [], true],
    ["192.0.2.7", ["192.0.2.0/24"], true],
    ["127.0.0.1", ["192.0.2.0/24"], false],
    ["unknown", ["0.0.0.0/0"], false],
  ])("%s with the list %p: %p", (address, operator, expected) => {
    expect(admitted("operator", address, rules({ operator }))).toBe(expected);
  });

  test("a claim changes nothing", () => {
    expect(admitted("operator", "192.0.2.7", rules({ operator: ["192.0.2.7"] }), true)).toBe(true);
  });
});

test("an unguarded route admits everybody", () => {
  expect(admitted("none", "unknown", rules({ internal: ["10.0.0.1"], operator: ["10.0.0.1"] }), true)).toBe(
    true,
  );
});

test("a refusal is logged with the address", () => {
  const lines: object[] = [];
  const log = wrap((level, fields) => lines.push({ level, ...fields }), {});
  const refuse = () => checkAddress("internal", { address: "192.0.2.7", claimed: false }, rules(), log);
  expect(refuse).toThrow("guard.ip_denied");
  expect(lines).toEqual([{ level: "warn", guard: "internal", address: "192.0.2.7", behindProxy: false }]);
});

describe("a request", () => {
  const headers = { "x-forwarded-for": "127.0.0.1, 203.0.113.9" };

  test("is given the address of its client", async () => {
    const x = exchangeForTest("login", { socketAddress: "::ffff:192.0.2.7", headers });
    await guardIp(rules())(x);
    expect(x.address).toBe("192.0.2.7");
    await guardIp(rules({ trustedProxies: ["192.0.2.0/24"] }))(x);
    expect(x.address).toBe("203.0.113.9");
  });

  test("to an internal route fails behind a proxy of this machine that nobody declared", () => {
    const x = exchangeForTest("login", { headers, guard: "internal" });
    expect(() => guardIp(rules())(x)).toThrow("guard.ip_denied");
    expect(x.address).toBe("127.0.0.1");
  });
});
