import { beforeEach, describe, expect, test } from "bun:test";
import type { Actor } from "#shared/contract/actor.ts";
import { Fault } from "#shared/fault/fault.ts";
import { account } from "#shared/testing/call.ts";
import { manualClock, type ManualClock } from "#shared/testing/clock.ts";
import { limited, type Limits } from "./limit.ts";
import { gatewayForTest, problem } from "../testing/gateway.ts";
import { exchangeForTest } from "./testing/pipeline.ts";
import type { Stage } from "../exchange.ts";

const minute = 60_000;
const limits: Limits = {
  register: { perAddress: { count: 2, perMs: minute } },
  login: { perAddress: { count: 10, perMs: minute }, perAccount: { count: 30, perMs: minute } },
  recover: { perAddress: { count: 2, perMs: minute }, perAccount: { count: 5, perMs: minute } },
  refresh: { perAddress: { count: 2, perMs: minute } },
};
let clock: ManualClock;
let stage: Stage;
beforeEach(() => {
  clock = manualClock();
  stage = limited(limits, { changes: { count: 600, perMs: minute }, maxKeys: 1_000, clock });
});

/** One try from an address: the status that the verb answered, or the fault that kept it from being asked. */
async function attempt(
  address: string,
  input: Record<string, unknown>,
  status = 401,
  route: Parameters<typeof exchangeForTest>[0] = "login",
): Promise<number> {
  const x = exchangeForTest(route);
  x.address = address;
  x.input = input;
  try {
    await stage(x);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    expect(error.code).toBe("limit.exceeded");
    expect(error.retryAfter).toBeGreaterThan(0);
    return error.status;
  }
  for (const settle of x.settled) await settle(status);
  return status;
}
const ada = { identifier: "ada" };

describe("an address", () => {
  test("is held up after so many tries, and told for how long", async () => {
    for (let i = 0; i < 10; i++) expect(await attempt("192.0.2.1", { identifier: `a${i}` })).toBe(401);
    expect(await attempt("192.0.2.1", { identifier: "b" })).toBe(429);
    expect(await attempt("192.0.2.2", { identifier: "b" })).toBe(401);
    await clock.advance(6_000);
    expect(await attempt("192.0.2.1", { identifier: "b" })).toBe(401);
  });

  test("may sign in more often than it may fail, but not without bound", async () => {
    for (let i = 0; i < 60; i++) expect(await attempt("192.0.2.1", { identifier: `a${i}` }, 200)).toBe(200);
    expect(await attempt("192.0.2.1", ada, 200)).toBe(429);
    expect(await attempt("192.0.2.2", ada, 200)).toBe(200);
  });

  test("of IPv6 is its whole network", async () => {
    for (let i = 0; i < 10; i++) await attempt(`2001:db8::${i}`, { identifier: `a${i}` });
    expect(await attempt("2001:db8::ffff:1:2:3", ada)).toBe(429);
    expect(await attempt("2001:db8:0:1::1", ada)).toBe(401);
  });
});

describe("an account", () => {
  /** Many addresses at once, each within its own limit. */
  const attack = async (input: Record<string, unknown> = ada) => {
    const answers = new Set<number>();
    for (let i = 0; i < 40; i++) answers.add(await attempt(`198.51.100.${i % 20}`, input));
    return answers;
  };

  test("is not closed by one address, however long that tries", async () => {
    for (let i = 0; i < 200; i++) {
      await attempt("198.51.100.1", ada);
      await clock.advance(1_000);
    }
    expect(await attempt("192.0.2.1", ada, 200)).toBe(200);
  });

  test("is held up where many addresses try it, under any spelling", async () => {
    expect(await attack({ identifier: " ADA " })).toEqual(new Set([401, 429]));
    expect(await attempt("192.0.2.1", ada, 200)).toBe(429);
    expect(await attempt("192.0.2.1", { identifier: "bob" }, 200)).toBe(200);
  });

  test("stays open where its owner has signed in before", async () => {
    expect(await attempt("192.0.2.1", ada, 200)).toBe(200);
    await attack();
    expect(await attempt("192.0.2.1", ada, 200)).toBe(200);
    expect(await attempt("192.0.2.2", ada, 200)).toBe(429);
  });

  test("is not used up by its own sign-ins", async () => {
    for (let i = 0; i < 100; i++) expect(await attempt(`203.0.113.${i}`, ada, 200)).toBe(200);
    expect(await attempt("192.0.2.1", ada)).toBe(401);
  });

  test("is that of the session, where there is one, whatever the request says", async () => {
    const answers = new Set<number>();
    for (let i = 0; i < 40; i++) {
      const x = exchangeForTest("login");
      Object.assign(x, {
        actor: account("acc_1"),
        address: `198.51.100.${i}`,
        input: { identifier: `a${i}` },
      });
      answers.add(
        await (async () => stage(x))().then(
          () => 401,
          () => 429,
        ),
      );
    }
    expect(answers).toEqual(new Set([401, 429]));
    expect(await attempt("192.0.2.1", { identifier: "acc_1" })).toBe(401);
  });

  test("is the one that the route reads, whatever else a body names", async () => {
    for (let i = 0; i < 5; i++)
      await attempt(
        `198.51.100.${i}`,
        { email: "eve@example.org", identifier: `random-${i}` },
        202,
        "forgotPassword",
      );
    const sixth = { email: "eve@example.org", identifier: "random-6" };
    expect(await attempt("198.51.100.9", sixth, 202, "forgotPassword")).toBe(429);
  });

  test("that no request can name costs nothing", async () => {
    for (const input of [{}, { identifier: 7 }, { identifier: "x".repeat(300) }])
      expect(await attempt("192.0.2.1", input)).toBe(401);
  });
});

describe("what a signed-in account changes", () => {
  const change = (
    id: string,
    route: Parameters<typeof exchangeForTest>[0] = "updateMe",
    address = "192.0.2.1",
    actor: Actor = account(id),
  ) => {
    const x = exchangeForTest(route);
    Object.assign(x, { actor, address });
    return (async () => stage(x))().then(
      () => 200,
      (fault: Fault) => fault.status,
    );
  };

  test("is counted for it alone, from wherever, and what it reads is not", async () => {
    for (let i = 0; i < 600; i++) expect(await change("acc_1", "updateMe", `192.0.2.${i % 9}`)).toBe(200);
    expect(await change("acc_1")).toBe(429);
    expect(await change("acc_1", "logout")).toBe(429);
    expect(await change("acc_1", "me")).toBe(200);
    expect(await change("acc_2")).toBe(200);
    await clock.advance(100);
    expect(await change("acc_1")).toBe(200);
    expect(await change("acc_1")).toBe(429);
  });

  test("with its keys, all together, does not keep it from changing things itself, such as revoking a key", async () => {
    const withKey = (key: number) =>
      change("acc_1", "updateMe", "192.0.2.1", {
        kind: "account",
        id: "acc_1",
        role: "customer",
        via: `key_${key}`,
        scopes: [],
      });
    for (let i = 0; i < 600; i++) expect(await withKey(i % 9)).toBe(200);
    expect(await withKey(9)).toBe(429);
    expect(await change("acc_1", "revokeKey")).toBe(200);
  });
});

test("each class has its own count, and a route without one has none", async () => {
  for (let i = 0; i < 2; i++) expect(await attempt("192.0.2.1", {}, 201, "register")).toBe(201);
  expect(await attempt("192.0.2.1", {}, 201, "register")).toBe(429);
  expect(await attempt("192.0.2.1", ada)).toBe(401);
  for (let i = 0; i < 20; i++) expect(await attempt("192.0.2.1", {}, 200, "me")).toBe(200);
});

test("429 limit.exceeded: the client is told how many seconds to wait", async () => {
  await using gateway = await gatewayForTest({ limits });
  const signIn = () => gateway.send("POST", "/api/sign-in", { identifier: "ada", password: "wrong" });
  for (let i = 0; i < 10; i++) expect((await signIn()).status).toBe(401);
  const answer = await signIn();
  expect(answer.status).toBe(429);
  expect(answer.headers.get("retry-after")).toBe("6");
  expect(await problem(answer)).toMatchObject({ code: "limit.exceeded", retryable: true });
  await gateway.clock.advance(6_000);
  expect((await signIn()).status).toBe(401);
});
