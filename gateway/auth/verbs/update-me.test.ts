import { describe, expect, test } from "bun:test";
import { ada, authForTest } from "../testing/auth.ts";

describe("updateMe", () => {
  test("200: sets what is given, clears what is empty, leaves the rest", async () => {
    await using auth = await authForTest();
    const { actor } = await auth.signUp({ ...ada, firstName: "Ada", lastName: "Byron" });
    const change = {
      displayName: "Countess",
      lastName: "",
      role: "operator",
      email: "x@y.z",
      customerId: "1",
    };
    const changed = await auth.ask("updateMe", change, actor);
    expect(changed).toMatchObject({
      ok: true,
      user: { displayName: "Countess", firstName: "Ada", lastName: null, email: ada.email, role: "customer" },
    });
    expect(await auth.ask("updateMe", {}, actor)).toEqual(changed);
    expect(await auth.ask("me", {}, actor)).toEqual(changed);
  });

  test("200: on record with the names of what was changed, and not with what it was changed to", async () => {
    await using auth = await authForTest();
    const { actor } = await auth.signUp();
    await auth.ask("updateMe", { displayName: "Countess", lastName: "" }, actor);
    const [row] = await auth.query(
      (tx) => tx`select target, details from audit where action = 'account.update'`,
    );
    expect(row).toEqual({ target: actor.id, details: { fields: ["lastName", "displayName"] } });
  });

  test("400 request.invalid: a name that turns the direction of what follows", async () => {
    await using auth = await authForTest();
    const { actor } = await auth.signUp();
    const change = { displayName: "Ada\u202e" };
    expect(auth.ask("updateMe", change, actor)).rejects.toMatchObject({ code: "request.invalid" });
  });

  test("200: changes nobody else's account", async () => {
    await using auth = await authForTest();
    const { actor } = await auth.signUp();
    const { actor: bob } = await auth.signUp({ ...ada, email: "bob@example.org", username: "bob" });
    await auth.ask("updateMe", { displayName: "Countess", id: bob.id }, actor);
    expect(await auth.ask("profile", {}, bob)).toMatchObject({ displayName: null });
  });

  test("401 auth.required: without a session", async () => {
    await using auth = await authForTest();
    expect(auth.ask("updateMe", {})).rejects.toMatchObject({ status: 401, code: "auth.required" });
  });
});
