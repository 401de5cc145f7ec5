import { describe, expect, test } from "bun:test";
import { authForTest } from "./testing/auth.ts";
import { keyFor } from "./testing/keys.ts";
import { silentLogger, wrap } from "#shared/telemetry/log.ts";

const invalid = { status: 401, code: "auth.invalid_token" };

test("a key acts for its account, with its scopes and under its id", async () => {
  await using auth = await authForTest();
  const { actor } = await auth.signUp();
  const { key, keyId } = await keyFor(auth, actor);
  expect(await auth.actorOf(key)).toEqual({ ...actor, via: keyId, scopes: ["servers:read"] });
});

test("what a key may do is asked of its scopes, and what needs a session it may not", async () => {
  await using auth = await authForTest();
  const { actor } = await auth.signUp();
  const { key } = await keyFor(auth, actor, { scopes: ["account:read"] });
  const holder = await auth.actorOf(key);
  expect(await auth.ask("me", {}, holder)).toMatchObject({ user: { id: actor.id } });
  expect(auth.ask("listAudit", {}, holder)).rejects.toMatchObject({
    status: 403,
    code: "auth.scope_missing",
    details: { scope: "audit:read" },
  });
  expect(auth.ask("updateMe", {}, holder)).rejects.toMatchObject({ code: "auth.session_needed" });
});

describe("401 auth.invalid_token", () => {
  test("another secret, another id, and what is no key at all", async () => {
    await using auth = await authForTest();
    const { actor } = await auth.signUp();
    const { key } = await keyFor(auth, actor);
    const { key: other } = await keyFor(auth, actor, { name: "other" });
    const [, id, secret] = /^zpk_([^_]+)_(.+)$/.exec(key) ?? [];
    const [, otherId] = /^zpk_([^_]+)_/.exec(other) ?? [];
    for (const forged of [
      `zpk_${id}_${"A".repeat(43)}`,
      `zpk_${otherId}_${secret}`,
      `zpk_${"0".repeat(26)}_${secret}`,
      `zpk_${id}_${secret}x`,
      `zpk_${id}_`,
      `zpk_${id}_${"\u0000".repeat(43)}`,
      "zpk_",
      `${key} `,
    ])
      expect(auth.actorOf(forged)).rejects.toMatchObject(invalid);
    expect(await auth.actorOf(key)).toMatchObject({ id: actor.id });
  });

  test("an expired one, to the moment", async () => {
    await using auth = await authForTest();
    const { actor } = await auth.signUp();
    const { key } = await keyFor(auth, actor, { expiresAt: "2030-01-01T00:00:10.000Z" });
    await auth.clock.advance(9_999);
    expect(await auth.actorOf(key)).toMatchObject({ id: actor.id });
    await auth.clock.advance(1);
    expect(auth.actorOf(key)).rejects.toMatchObject(invalid);
  });
});

test("403 guard.ip_denied: from elsewhere, also while the key is remembered, and logged with the address", async () => {
  const lines: Record<string, unknown>[] = [];
  const log = { ...silentLogger, ...wrap((level, fields) => lines.push({ level, ...fields }), {}) };
  await using auth = await authForTest({ log });
  const { actor } = await auth.signUp();
  const { key, keyId } = await keyFor(auth, actor, { cidrs: ["192.0.2.0/24", "2001:db8::/32"] });
  const denied = { status: 403, code: "guard.ip_denied" };
  expect(auth.actorOf(key, "198.51.100.1")).rejects.toMatchObject(denied);
  for (const address of ["192.0.2.9", "2001:db8::7"])
    expect(await auth.actorOf(key, address)).toMatchObject({ via: keyId });
  for (const address of ["198.51.100.1", "unknown", ""])
    expect(auth.actorOf(key, address)).rejects.toMatchObject(denied);
  expect(lines[0]).toMatchObject({ level: "warn", key: keyId, address: "198.51.100.1" });
});

test("the last use is known to the minute, and a refused one is none", async () => {
  await using auth = await authForTest();
  const { actor } = await auth.signUp();
  const { key } = await keyFor(auth, actor, { cidrs: ["192.0.2.7"] });
  const lastUse = async () => {
    const [row] = await auth.query(
      (tx) => tx<{ lastUsedAt: Date | null }[]>`select last_used_at from api_key`,
    );
    return row?.lastUsedAt?.toISOString();
  };
  await auth.actorOf(key, "198.51.100.1").catch(() => undefined);
  expect(await lastUse()).toBeUndefined();
  await auth.clock.advance(30_000);
  await auth.actorOf(key);
  expect(await lastUse()).toBe("2030-01-01T00:00:30.000Z");
  await auth.clock.advance(59_999);
  await auth.actorOf(key);
  expect(await lastUse()).toBe("2030-01-01T00:00:30.000Z");
  await auth.clock.advance(30_001);
  await auth.actorOf(key);
  expect(await lastUse()).toBe("2030-01-01T00:02:00.000Z");
});

test("the end of all sessions leaves keys as they are; the role is the account's present one", async () => {
  await using auth = await authForTest();
  const { actor } = await auth.signUp();
  const { key } = await keyFor(auth, actor);
  await auth.ask("logoutAll", {}, actor);
  await auth.query((tx) => tx`update account set role = 'operator'`);
  expect(await auth.actorOf(key)).toMatchObject({ id: actor.id, role: "operator" });
});
