import { createHmac } from "node:crypto";
import { type Actor, anonymous } from "#shared/contract/actor.ts";
import { type Answer, dispatch } from "#shared/contract/dispatch.ts";
import type { Tx } from "#shared/db/connect.ts";
import { withTx } from "#shared/db/tx.ts";
import { silentLogger } from "#shared/telemetry/log.ts";
import { newTraceparent, requestIdOf } from "#shared/telemetry/trace.ts";
import { manualClock } from "#shared/testing/clock.ts";
import { signedIn } from "../accounts.ts";
import { gateway } from "../contract.ts";
import { createPasswords } from "../passwords.ts";
import { type Deps, gatewayService } from "../service.ts";
import { createSessions, type SessionOptions } from "../sessions.ts";
import { createTokens } from "../tokens.ts";
import { emptyDatabase } from "./database.ts";

export const secret = "a secret of the tests, of no use elsewhere";
export const ada = { email: "Ada@example.org", username: "Ada", password: "correct horse battery" };

/** Where the requests of tests come from, unless they say something else. */
export const home = "192.0.2.7";

export const settings = {
  publicUrl: "http://localhost",
  refreshSeconds: 2_592_000,
  resetMs: 1_800_000,
  maxKeys: 5,
};

/** The gateway's own service over a database of its own, on a clock that stands still, with cheap passwords. */
export async function authForTest(
  o: Partial<Pick<SessionOptions, "announce" | "log" | "maxPerAccount">> = {},
) {
  const pg = await emptyDatabase();
  const clock = manualClock();
  const tokens = createTokens({ secret, ttlSeconds: 3600, generation: 1, clock });
  const announce = () => {};
  const sessions = createSessions({ db: pg.db, tokens, clock, log: silentLogger, announce, ...o });
  const passwords = await createPasswords({ memoryKiB: 1024, passes: 1 });
  const deps: Deps = { db: pg.db, clock, passwords, sessions, settings };
  const query = <T>(fn: (tx: Tx) => Promise<T>) => withTx(pg.db, fn);
  const { send, ask } = callsOf(deps);
  const actorOf = (credential: string, address = home) => sessions.actorOf(credential, address);
  return {
    pg,
    clock,
    deps,
    sessions,
    send,
    ask,
    actorOf,
    /** A new account with a session: its token, its refresh token, and who its holder is. */
    signUp: async (account: object = ada) => {
      const answer = await send("register", account);
      const token = tokenOf(answer.reply);
      return { token, refresh: refreshOf(answer) ?? "", actor: signedIn(await actorOf(token)) };
    },
    query,
    audit: () =>
      query((tx) => tx`select actor, action, target, address, via from audit order by created_at, id`),
    events: () => query((tx) => tx`select subject, version, payload from outbox order by position`),
    [Symbol.asyncDispose]: () => pg[Symbol.asyncDispose](),
  };
}

/** Calls of the service that these parts make: `send` resolves with reply and headers, `ask` with the reply alone. */
export function callsOf(deps: Deps) {
  const service = gatewayService(deps);
  const send = async (
    route: string,
    input: unknown,
    { actor = anonymous, cookie }: { actor?: Actor; cookie?: string | undefined } = {},
  ): Promise<Answer> => {
    const traceparent = newTraceparent();
    const meta = {
      actor,
      traceparent,
      requestId: requestIdOf(traceparent),
      deadline: Date.now() + 5_000,
      signal: new AbortController().signal,
      idempotencyKey: undefined,
      address: home,
      cookie,
    };
    return await dispatch(service, route, input, meta, { log: silentLogger });
  };
  const ask = async (route: string, input: unknown, actor: Actor = anonymous): Promise<unknown> =>
    (await send(route, input, { actor })).reply;
  return { send, ask };
}

/** The token in the reply to a registration, a login or a refresh. */
export const tokenOf = (reply: unknown): string => gateway.routes.login.reply.parse(reply).token;

/** The refresh token that an answer gives to the cookie. */
export const refreshOf = ({ headers }: Answer): string | undefined =>
  /^zpack_refresh=([^;]+)/.exec(headers["set-cookie"] ?? "")?.[1];

/** A token as anybody could write one, signed with `key` by the HMAC that `alg` names (none: unsigned). */
export function forge(
  payload: object,
  { key = secret, header = {} }: { key?: string; header?: Record<string, unknown> } = {},
): string {
  const head: Record<string, unknown> = { alg: "HS256", typ: "at+jwt", ...header };
  const text = [head, payload]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".");
  if (head["alg"] === "none") return `${text}.`;
  const hash = `sha${String(head["alg"]).slice(2)}`;
  return `${text}.${createHmac(hash, key).update(text).digest("base64url")}`;
}
