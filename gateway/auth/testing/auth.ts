import { createHmac } from "node:crypto";
import { type Actor, anonymous } from "#shared/contract/actor.ts";
import { dispatch } from "#shared/contract/dispatch.ts";
import type { Tx } from "#shared/db/connect.ts";
import { mechanismMigrations } from "#shared/db/migrate.ts";
import { withTx } from "#shared/db/tx.ts";
import { silentLogger } from "#shared/telemetry/log.ts";
import { newTraceparent, requestIdOf } from "#shared/telemetry/trace.ts";
import { manualClock } from "#shared/testing/clock.ts";
import { postgresForTest } from "#shared/testing/postgres.ts";
import { signedIn } from "../accounts.ts";
import { gateway } from "../contract.ts";
import { createPasswords } from "../passwords.ts";
import { gatewayService } from "../service.ts";
import { createSessions } from "../sessions.ts";
import { createTokens } from "../tokens.ts";

const migrations = new URL("../migrations", import.meta.url).pathname;

export const secret = "a secret of the tests, of no use elsewhere";
export const ada = { email: "Ada@example.org", username: "Ada", password: "correct horse battery" };

/** The gateway's own service over a database of its own, on a clock that stands still, with cheap passwords. */
export async function authForTest() {
  const folders = [mechanismMigrations, { name: "gateway", dir: migrations }];
  const pg = await postgresForTest({ schema: "gateway", folders });
  const clock = manualClock();
  const tokens = createTokens({ secret, ttlSeconds: 3600, generation: 1, clock });
  const sessions = createSessions({ db: pg.db, tokens, clock });
  const passwords = await createPasswords({ memoryKiB: 1024, passes: 1 });
  const deps = { db: pg.db, passwords, sessions };
  const service = gatewayService(deps);
  const ask = async (route: string, input: unknown, actor: Actor = anonymous): Promise<unknown> => {
    const traceparent = newTraceparent();
    const meta = {
      actor,
      traceparent,
      requestId: requestIdOf(traceparent),
      deadline: Date.now() + 5_000,
      signal: new AbortController().signal,
      idempotencyKey: undefined,
      address: "192.0.2.7",
      cookie: undefined,
    };
    return (await dispatch(service, route, input, meta, { log: silentLogger })).reply;
  };
  const query = <T>(fn: (tx: Tx) => Promise<T>) => withTx(pg.db, fn);
  return {
    pg,
    clock,
    deps,
    sessions,
    /** The reply of a route; rejects with its fault. */
    ask,
    /** A new account with a session: its token, and who its holder is. */
    signUp: async (account: object = ada) => {
      const token = tokenOf(await ask("register", account));
      return { token, actor: signedIn(await sessions.actorOf(token)) };
    },
    query,
    audit: () =>
      query((tx) => tx`select actor, action, target, address, request_id from audit order by created_at, id`),
    events: () => query((tx) => tx`select subject, version, payload from outbox order by position`),
    [Symbol.asyncDispose]: () => pg[Symbol.asyncDispose](),
  };
}

/** The token in the reply to a registration or a login. */
export const tokenOf = (reply: unknown): string => gateway.routes.login.reply.parse(reply).token;

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
