import { describe, expect, test } from "bun:test";
import { ada, authForTest } from "../testing/auth.ts";
import { operator } from "../testing/keys.ts";
import { insertAudit } from "../store/audit.ts";

type Auth = Awaited<ReturnType<typeof authForTest>>;
type Page = { entries: { id: string; action: string; actor: string | null }[]; next: string | null };
const bobs = { ...ada, email: "bob@example.org", username: "bob" };

const list = async (auth: Auth, actor: Parameters<Auth["ask"]>[2], input: object = {}) =>
  (await auth.ask("listAudit", input, actor)) as Page;
const actions = ({ entries }: Page) => entries.map(({ action }) => action);

const record = (id: string, change: object = {}) => ({
  id,
  actor: "acc_op",
  via: "key_op",
  action: "servers.stopServer",
  target: "inst_1",
  customerId: null,
  address: "203.0.113.1",
  requestId: "r",
  at: "2030-01-01T00:00:01.000Z",
  details: {},
  ...change,
});

describe("listAudit", () => {
  test("200: an account sees what it did, what was done to it, and to what is its own", async () => {
    await using auth = await authForTest();
    const { actor } = await auth.signUp();
    await auth.signUp(bobs);
    await auth.ask("login", { identifier: "ada", password: "wrong" }).catch(() => undefined);
    await auth.query(async (tx) => {
      await insertAudit(tx, record("aud_theirs"));
      await insertAudit(tx, record("aud_hers", { customerId: actor.id, details: { reason: "abuse" } }));
    });
    const { entries, next } = await list(auth, actor);
    expect(next).toBeNull();
    expect(entries as unknown).toEqual([
      expect.objectContaining({
        id: "aud_hers",
        actor: "acc_op",
        target: "inst_1",
        customerId: actor.id,
        at: "2030-01-01T00:00:01.000Z",
        details: { reason: "abuse" },
      }),
      expect.objectContaining({ action: "session.login_failed", actor: null, address: "192.0.2.7" }),
      expect.objectContaining({ action: "account.register", actor: actor.id, status: null }),
    ]);
  });

  test("200: of somebody else who acted it is not told from where", async () => {
    await using auth = await authForTest();
    const { actor } = await auth.signUp();
    await auth.query((tx) => insertAudit(tx, record("aud_hers", { customerId: actor.id })));
    const hidden = { via: null, apiKey: null, address: null };
    expect((await list(auth, actor)).entries[0]).toMatchObject(hidden);
    expect((await list(auth, operator)).entries[0]).toMatchObject({
      via: "key_op",
      apiKey: "key_op",
      address: "203.0.113.1",
    });
  });

  test("200: no filter widens what an account sees", async () => {
    await using auth = await authForTest();
    const { actor } = await auth.signUp();
    const { actor: bob } = await auth.signUp(bobs);
    expect((await list(auth, actor, { account: bob.id })).entries).toMatchObject([{ actor: actor.id }]);
    expect((await list(auth, actor, { target: bob.id })).entries).toEqual([]);
  });

  test("200: an operator sees all, by account, action and target", async () => {
    await using auth = await authForTest();
    const { actor } = await auth.signUp();
    const { actor: bob } = await auth.signUp(bobs);
    await auth.ask("updateMe", {}, actor);
    await auth.ask("logout", {}, bob);
    const of = async (input: object) => actions(await list(auth, operator, input));
    expect((await of({})).toSorted()).toEqual([
      "account.register",
      "account.register",
      "account.update",
      "session.logout",
    ]);
    expect((await of({ account: actor.id })).toSorted()).toEqual(["account.register", "account.update"]);
    expect(await of({ action: "session.logout" })).toEqual(["session.logout"]);
    expect((await of({ target: bob.id })).toSorted()).toEqual(["account.register", "session.logout"]);
    expect(await of({ target: bob.id, account: actor.id })).toEqual([]);
  });

  test("200: an operator's key sees all only with the scope for what operators see", async () => {
    await using auth = await authForTest();
    const { actor } = await auth.signUp();
    const key = { ...operator, via: "key_op" };
    expect((await list(auth, { ...key, scopes: ["audit:read"] })).entries).toEqual([]);
    const wide = await list(auth, { ...key, scopes: ["audit:read", "admin:read"] });
    expect(wide.entries).toMatchObject([{ actor: actor.id }]);
  });

  test("200: a line that concerns an account in several ways is there once, on its own page", async () => {
    await using auth = await authForTest();
    const { actor } = await auth.signUp();
    const { id } = actor;
    const ways = [
      { actor: id, target: id, customerId: id },
      { target: id },
      { customerId: id },
      { actor: id },
    ];
    await auth.query(async (tx) => {
      for (const [i, way] of [...ways, {}, ...ways].entries()) await insertAudit(tx, record(`aud_${i}`, way));
    });
    const first = await list(auth, actor, { limit: 4 });
    const second = await list(auth, actor, { limit: 4, cursor: first.next });
    expect([first, second].map(({ entries }) => entries.map((entry) => entry.id))).toEqual([
      ["aud_8", "aud_7", "aud_6", "aud_5"],
      ["aud_3", "aud_2", "aud_1", "aud_0"],
    ]);
    const third = await list(auth, actor, { limit: 4, cursor: second.next });
    expect({ ...third, entries: actions(third) }).toMatchObject({
      entries: ["account.register"],
      next: null,
    });
  });

  test("200: page by page, each line once, also those of one moment", async () => {
    await using auth = await authForTest();
    await auth.query(async (tx) => {
      for (let i = 0; i < 7; i++) await insertAudit(tx, record(`aud_${i}`));
      await insertAudit(tx, record("aud_0", { action: "changed" }));
    });
    const seen: string[] = [];
    let cursor: string | null | undefined;
    for (let page = 0; cursor !== null && page < 9; page++) {
      const answer = await list(auth, operator, { limit: "3", ...(cursor ? { cursor } : {}) });
      seen.push(...answer.entries.map(({ id }) => id));
      cursor = answer.next;
    }
    expect(seen).toEqual(Array.from({ length: 7 }, (_, i) => `aud_${6 - i}`));
    expect(actions(await list(auth, operator, { action: "changed" }))).toEqual([]);
  });

  test("400 request.invalid: a cursor that nobody gave out, a limit beyond what is given", async () => {
    await using auth = await authForTest();
    const beyond = `${Date.parse("+010000-01-01T00:00:00Z")}_aud_1`;
    for (const input of [
      { cursor: "x" },
      { cursor: "1_a\u0000" },
      { cursor: beyond },
      { limit: 201 },
      { action: "" },
    ])
      expect(list(auth, operator, input)).rejects.toMatchObject({ code: "request.invalid" });
    expect(await list(auth, operator, { cursor: `${"9".repeat(14)}_aud_1` })).toMatchObject({ entries: [] });
  });

  test("401 auth.required: without a session", async () => {
    await using auth = await authForTest();
    expect(auth.ask("listAudit", {})).rejects.toMatchObject({ status: 401, code: "auth.required" });
  });
});
