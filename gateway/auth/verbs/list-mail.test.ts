import { describe, expect, test } from "bun:test";
import { ada, authForTest } from "../testing/auth.ts";
import { deliverable, mailFor } from "../testing/recovery.ts";

const operator = { kind: "account", id: "acc_op", role: "operator", via: "ses_op" } as const;

describe("listMail", () => {
  test("200: what nobody has delivered, oldest first, page by page", async () => {
    await using auth = await authForTest();
    for (const name of ["ada", "bob", "eve"]) {
      await auth.signUp({ ...ada, email: `${name}@example.org`, username: name });
      await auth.ask("forgotPassword", { email: `${name}@example.org` });
    }
    const [first, second, third] = (await deliverable(auth)).map(({ id }) => id);
    type Page = { mail: { id: string }[]; next: string | null };
    const page = async (input: object) => (await auth.ask("listMail", input, operator)) as Page;
    const one = await page({ limit: "2" });
    expect(one.mail.map(({ id }) => id)).toEqual([first ?? "", second ?? ""]);
    const two = await page({ limit: "2", cursor: one.next });
    expect(two).toMatchObject({ mail: [{ id: third }], next: null });
    await auth.ask("confirmMail", { mailId: second });
    expect((await page({})).mail.map(({ id }) => id)).toEqual([first ?? "", third ?? ""]);
  });

  test("200: each names its account and holds no secret", async () => {
    await using auth = await authForTest();
    const { actor } = await auth.signUp();
    const { id } = await mailFor(auth, ada.email);
    await auth.ask("mintResetToken", { mailId: id });
    expect(await auth.ask("listMail", {}, operator)).toEqual({
      ok: true,
      mail: [
        {
          id,
          kind: "password_reset",
          accountId: actor.id,
          email: ada.email,
          requests: 1,
          createdAt: expect.any(String),
        },
      ],
      next: null,
    });
  });

  test("403 auth.forbidden: a customer", async () => {
    await using auth = await authForTest();
    const { actor } = await auth.signUp();
    expect(auth.ask("listMail", {}, actor)).rejects.toMatchObject({ status: 403, code: "auth.forbidden" });
  });

  test("403 auth.scope_missing: an operator's key without the scope", async () => {
    await using auth = await authForTest();
    const key = { ...operator, via: "key_1", scopes: ["audit:read"] };
    expect(auth.ask("listMail", {}, key)).rejects.toMatchObject({ code: "auth.scope_missing" });
    expect(await auth.ask("listMail", {}, { ...key, scopes: ["admin:read"] })).toMatchObject({ mail: [] });
  });
});
