import { afterAll, beforeAll, expect, test } from "bun:test";
import { registry } from "#gateway/registry.ts";
import { broadcast, onBroadcast } from "#shared/bus/broadcast.ts";
import { client } from "#shared/bus/client.ts";
import { serve } from "#shared/bus/serve.ts";
import type { Contract } from "#shared/contract/define.ts";
import { connectBus, closeBus, type Bus } from "#shared/bus/connect.ts";
import { silentLogger } from "#shared/telemetry/log.ts";
import { type Mesh, meshForTest } from "#shared/testing/mesh.ts";
import { gateway } from "./contract.ts";
import { gatewayService, meshService } from "./service.ts";
import { createSessions, type Sessions } from "./sessions.ts";
import { ada, authForTest, home, secret } from "./testing/auth.ts";
import { keyFor } from "./testing/keys.ts";
import { mailFor } from "./testing/recovery.ts";
import { createTokens } from "./tokens.ts";
import type { Ended } from "./verified.ts";

// Over a real bus with the rights that the contracts give: what other services may call, and what gateways tell each other.

const postman: Contract = {
  service: "postman",
  version: "1.0.0",
  calls: ["gateway.mintResetToken", "gateway.confirmMail", "gateway.login"],
  consumes: [],
  routes: {},
  events: {},
};
let mesh: Mesh;
beforeAll(async () => {
  mesh = await meshForTest([...registry, postman]);
});
afterAll(() => mesh[Symbol.asyncDispose]());

test("who delivers mail gets the token over the bus, and clients' routes are not there, whatever the rights", async () => {
  await using auth = await authForTest();
  await auth.signUp();
  const { id: mailId } = await mailFor(auth, ada.email);
  const served = await serve(await mesh.bus("gateway"), meshService(gatewayService(auth.deps)), {
    log: silentLogger,
  });
  const own = client(await mesh.bus("postman"), gateway);
  expect(await own.mintResetToken({ mailId })).toMatchObject({ email: ada.email });
  expect(await own.confirmMail({ mailId })).toEqual({ ok: true });
  expect(own.login({ identifier: "ada", password: ada.password })).rejects.toMatchObject({
    code: "service.unavailable",
  });
  await served.stop();
});

test("a service that does not say that it mints tokens has no right to", async () => {
  const own = client(await mesh.bus("billing"), gateway);
  expect(own.mintResetToken({ mailId: `mail_${"0".repeat(26)}` })).rejects.toMatchObject({ status: 500 });
});

/** Two gateways over one database, each with a memory and a connection of its own. */
async function twoGateways(o: { maxPerAccount?: number } = {}) {
  const buses: Bus[] = [await mesh.bus("gateway"), await another()];
  const [here, there] = buses as [Bus, Bus];
  const announce = (ended: Ended) => broadcast(here, gateway, "sessionEnded", ended);
  const auth = await authForTest({ announce, ...o });
  const { db, clock } = auth.deps;
  const elsewhere = createSessions({
    db,
    clock,
    tokens: createTokens({ secret, ttlSeconds: 3600, generation: 1, clock }),
    log: silentLogger,
    announce: () => {},
  });
  const hearing = onBroadcast(there, gateway, "sessionEnded", (ended) => elsewhere.forget(ended));
  await there.nc.flush();
  return {
    auth,
    elsewhere,
    [Symbol.asyncDispose]: async () => {
      hearing.stop();
      await closeBus(there);
      await auth[Symbol.asyncDispose]();
    },
  };
}

const another = () =>
  connectBus({
    name: "gateway",
    url: mesh.server.url,
    user: "gateway",
    password: "gateway-password",
    log: silentLogger,
  });

/** Milliseconds until the credential is refused. */
async function refused(sessions: Sessions, credential: string): Promise<number> {
  const start = performance.now();
  while (await sessions.actorOf(credential, home).catch(() => undefined))
    await new Promise((resolve) => setImmediate(resolve));
  return performance.now() - start;
}

test("what ends at one gateway is refused by another within 2 s: logout, logout everywhere, keys", async () => {
  await using two = await twoGateways();
  const { auth, elsewhere } = two;
  const { actor, token } = await auth.signUp();
  const { key, keyId } = await keyFor(auth, actor);
  for (const credential of [token, key])
    expect(await elsewhere.actorOf(credential, home)).toMatchObject({ id: actor.id });

  await auth.ask("revokeKey", { keyId }, actor);
  expect(await refused(elsewhere, key)).toBeLessThan(2_000);
  expect(await elsewhere.actorOf(token, home)).toEqual(actor);
  await auth.ask("logout", {}, actor);
  expect(await refused(elsewhere, token)).toBeLessThan(2_000);

  const bob = await auth.signUp({ ...ada, email: "bob@example.org", username: "bob" });
  expect(await elsewhere.actorOf(bob.token, home)).toEqual(bob.actor);
  await auth.ask("logoutAll", {}, bob.actor);
  expect(await refused(elsewhere, bob.token)).toBeLessThan(2_000);
});

test("a session that a further sign-in ended is refused by another gateway within 2 s", async () => {
  await using two = await twoGateways({ maxPerAccount: 1 });
  const { auth, elsewhere } = two;
  const { actor, token } = await auth.signUp();
  expect(await elsewhere.actorOf(token, home)).toEqual(actor);
  await auth.ask("login", { identifier: "ada", password: ada.password });
  expect(await refused(elsewhere, token)).toBeLessThan(2_000);
});
