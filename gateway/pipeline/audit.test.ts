import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { authForTest } from "#gateway/auth/testing/auth.ts";
import { provisioning } from "#services/provisioning/contract.ts";
import { account } from "#shared/testing/call.ts";
import type { Exchange } from "../exchange.ts";
import { audited } from "./audit.ts";
import { exchangeForTest } from "./testing/pipeline.ts";

let auth: Awaited<ReturnType<typeof authForTest>>;
beforeAll(async () => {
  auth = await authForTest();
});
afterAll(() => auth[Symbol.asyncDispose]());

const rows = (requestId: string) =>
  auth.query((tx) => tx`select * from audit where request_id = ${requestId}`);
const stage = () => audited({ db: auth.pg.db, clock: auth.clock, own: "gateway" });
let count = 0;
const request = (o: Partial<Exchange> = {}): Exchange => ({
  ...exchangeForTest("me"),
  contract: provisioning,
  name: "createServer",
  route: provisioning.routes.createServer,
  actor: account("acc_1"),
  address: "192.0.2.7",
  requestId: `request-${++count}`,
  ...o,
});

describe("a change at another service", () => {
  test("is on record before it is made, and how it ended afterwards", async () => {
    const x = request({ params: { id: "5000" }, input: { id: "5000" } });
    await stage()(x);
    expect(await rows(x.requestId)).toMatchObject([
      {
        actor: "acc_1",
        via: "ses_1",
        action: "provisioning.createServer",
        target: "5000",
        address: "192.0.2.7",
        at: new Date(auth.clock.now()),
        status: null,
      },
    ]);
    for (const settle of x.settled) await settle(202);
    expect(await rows(x.requestId)).toMatchObject([{ status: 202 }]);
  });

  test("names what the path names, and nothing that a body says", async () => {
    const x = request({ input: { id: "acc_of_somebody_else" } });
    await stage()(x);
    expect(await rows(x.requestId)).toMatchObject([{ target: null }]);
  });

  test("is not made where it cannot be put on record", async () => {
    await using away = await authForTest();
    await away.pg.db.close();
    const denied = audited({ db: away.pg.db, clock: auth.clock, own: "gateway" });
    expect((async () => denied(request()))()).rejects.toThrow();
  });
});

test.each<[string, () => Partial<Exchange>]>([
  ["read", () => ({ name: "getOperation", route: provisioning.routes.getOperation })],
  ["sent without an account", () => ({ actor: { kind: "anonymous" } })],
  ["of the gateway's own, which keeps its own record", () => ({ contract: exchangeForTest("me").contract })],
])("nothing is on record of what is %s", async (_, change) => {
  const x = request(change());
  await stage()(x);
  expect(x.settled).toEqual([]);
  expect(await rows(x.requestId)).toHaveLength(0);
});
