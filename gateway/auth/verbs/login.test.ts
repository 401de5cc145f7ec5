import { describe, expect, test } from "bun:test";
import { signedIn } from "../accounts.ts";
import { createPasswords } from "../passwords.ts";
import { gatewayService } from "../service.ts";
import { ada, authForTest, tokenOf } from "../testing/auth.ts";
import { anonymous } from "#shared/contract/actor.ts";
import { dispatch } from "#shared/contract/dispatch.ts";
import { Fault } from "#shared/fault/fault.ts";
import { silentLogger } from "#shared/telemetry/log.ts";

describe("login", () => {
  test("200: by e-mail address or username, in whatever case", async () => {
    await using auth = await authForTest();
    const { actor } = await auth.signUp();
    for (const identifier of ["Ada", "ada", "ADA@example.org", " ada@example.org "]) {
      const reply = await auth.ask("login", { identifier, password: ada.password });
      expect(reply).toEqual({ token: expect.any(String), expiresIn: 3600 });
      const again = signedIn(await auth.sessions.actorOf(tokenOf(reply)));
      expect(again).toMatchObject({ id: actor.id, role: "customer" });
      expect(again.via).not.toBe(actor.via);
    }
    expect((await auth.audit()).at(-1)).toMatchObject({
      actor: actor.id,
      action: "session.login",
      target: actor.id,
      address: "192.0.2.7",
    });
  });

  test("200: whatever wrong passwords others have tried before", async () => {
    await using auth = await authForTest();
    await auth.signUp();
    const attempts = Array.from({ length: 30 }, (_, i) =>
      auth.ask("login", { identifier: "ada", password: `guess ${i}` }).catch(() => "wrong"),
    );
    expect(new Set(await Promise.all(attempts))).toEqual(new Set(["wrong"]));
    expect(await auth.ask("login", { identifier: "ada", password: ada.password })).toMatchObject({
      expiresIn: 3600,
    });
  });

  test("401 gateway.wrong_credentials: alike for a wrong password and an unknown account, both on record", async () => {
    await using auth = await authForTest();
    const { actor } = await auth.signUp();
    const fault = async (input: object) => {
      const error = await auth.ask("login", input).catch((reason: unknown) => reason);
      return error instanceof Fault ? error.problem("id") : error;
    };
    const wrong = await fault({ identifier: "ada", password: "wrong horse battery" });
    const unknown = await fault({ identifier: "nobody", password: ada.password });
    expect(wrong).toMatchObject({ status: 401, code: "gateway.wrong_credentials" });
    expect(unknown).toEqual(wrong);
    expect((await auth.audit()).slice(1)).toMatchObject([
      { actor: null, action: "session.login_failed", target: actor.id, address: "192.0.2.7" },
      { actor: null, action: "session.login_failed", target: null, address: "192.0.2.7" },
    ]);
  });

  test("401: an unknown account takes as long as a wrong password", async () => {
    await using auth = await authForTest();
    await auth.signUp();
    // As costly as in production, so that the time of anything else is small beside it.
    const passwords = await createPasswords();
    await auth.query(async (tx) => {
      const hash = await passwords.hash(ada.password, new AbortController().signal);
      await tx`update account set password_hash = ${hash}`;
    });
    const service = gatewayService({ ...auth.deps, passwords });
    const meta = {
      actor: anonymous,
      traceparent: "",
      requestId: "",
      deadline: Date.now() + 5_000,
      signal: new AbortController().signal,
      idempotencyKey: undefined,
      address: undefined,
      cookie: undefined,
    };
    const time = async (identifier: string) => {
      const times: number[] = [];
      for (let i = 0; i < 5; i++) {
        const start = performance.now();
        const attempt = dispatch(service, "login", { identifier, password: "wrong" }, meta, {
          log: silentLogger,
        });
        expect(attempt).rejects.toMatchObject({ status: 401 });
        times.push(performance.now() - start);
      }
      return Math.min(...times);
    };
    const [wrong, unknown] = [await time("ada"), await time("nobody")];
    expect(Math.min(wrong, unknown) / Math.max(wrong, unknown)).toBeGreaterThan(0.6);
  });

  test("400 request.invalid: an identifier that no account can have", async () => {
    await using auth = await authForTest();
    const attempt = auth.ask("login", { identifier: "a\u0000b", password: "x" });
    expect(attempt).rejects.toMatchObject({ code: "request.invalid" });
  });
});
