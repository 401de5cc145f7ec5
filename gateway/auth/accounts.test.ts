import { describe, expect, test } from "bun:test";
import { ensureOperator } from "./accounts.ts";
import { ada, authForTest, tokenOf } from "./testing/auth.ts";

const operator = { email: "op@example.org", username: "operator", password: "a long password" };

describe("the operator's account", () => {
  test("is opened once, by however many gateways, and keeps its password", async () => {
    await using auth = await authForTest();
    await Promise.all(Array.from({ length: 3 }, () => ensureOperator(auth.deps, operator)));
    await ensureOperator(auth.deps, { ...operator, email: "OP@example.org", password: "another password" });
    expect(await auth.query((tx) => tx`select email, username, role from account`)).toMatchObject([
      { email: "op@example.org", username: "operator", role: "operator" },
    ]);
    expect(await auth.events()).toHaveLength(1);
    const login = { identifier: "operator", password: operator.password };
    const token = tokenOf(await auth.ask("login", login));
    expect(await auth.actorOf(token)).toMatchObject({ role: "operator" });
  });

  test("is never made of a customer's", async () => {
    await using auth = await authForTest();
    const { actor } = await auth.signUp();
    expect(ensureOperator(auth.deps, { ...operator, email: ada.email })).rejects.toThrow(
      "customer's account",
    );
    expect(ensureOperator(auth.deps, { ...operator, username: "ada" })).rejects.toThrow("another account");
    expect(await auth.ask("profile", {}, actor)).toMatchObject({ role: "customer" });
  });
});
