import type { Sessions } from "#gateway/auth/sessions.ts";
import { type Actor, anonymous } from "#shared/contract/actor.ts";
import { checkActor } from "#shared/contract/dispatch.ts";
import { coreFault } from "#shared/fault/core.ts";
import type { Stage } from "../exchange.ts";

// One scheme, one access token or API key, nothing else: two headers arrive joined by a comma and match no more.
const bearer = /^Bearer +([\w-]+\.[\w-]+\.[\w-]+|zpk_[\w-]+) *$/i;

/**
 * Who sends a request from `address`, by its Authorization header. Without one: anonymous, whom protected routes
 * answer with `auth.required`. Rejects with `auth.invalid_token`, `auth.session_outdated`, `guard.ip_denied` for a key
 * that is bound to other addresses, and with `service.unavailable` while the session cannot be looked up.
 */
export async function authenticate(
  sessions: Sessions,
  authorization: string | null,
  address: string,
): Promise<Actor> {
  if (authorization === null) return anonymous;
  const credential = bearer.exec(authorization)?.[1];
  if (credential === undefined) throw coreFault("auth.invalid_token");
  return await sessions.actorOf(credential, address);
}

/**
 * Finds out who sends the request, where the route asks for that, and refuses whom it does not admit before anything of
 * the request is read. An old token does not keep anybody from a public route.
 */
export const authenticated =
  (sessions: Sessions): Stage =>
  async (x) => {
    const { auth } = x.route.policy;
    if (auth !== "session" && auth !== "operator") return;
    x.actor = await authenticate(sessions, x.request.headers.get("authorization"), x.address);
    checkActor(x.route.policy, x.actor);
  };
