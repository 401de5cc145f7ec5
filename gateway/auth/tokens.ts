// The only importer of @elysiajs/jwt. Its `verify` alone is lax: it accepts a token without exp, from another issuer, for
// another audience, of another type and under another HS algorithm. So every call below passes the strict options of jose.
import { jwt } from "@elysiajs/jwt";
import { Elysia } from "elysia";
import { z } from "zod";
import { coreFault } from "#shared/fault/core.ts";
import type { Clock } from "#shared/process/clock.ts";

const issuer = "zpack";
const audience = "zpack-api";
const type = "at+jwt";
const requiredClaims = ["iss", "aud", "sub", "sid", "role", "ver", "exp", "iat"] as const;

/** Ours are about 400 characters; a longer one is not worth a hash. */
export const maxTokenLength = 4096;

/** As `newId` makes them: whatever else a signed token may hold never reaches a statement. */
const Id = z.string().regex(/^[\w-]{1,64}$/);

const Payload = z.object({
  aud: z.literal(audience),
  sub: Id,
  sid: Id,
  role: z.enum(["customer", "operator"]),
  ver: z.int(),
  exp: z.int(),
});

export type TokenClaims = {
  accountId: string;
  sessionId: string;
  /** Milliseconds since the epoch. */
  expiresAt: number;
};

/** A token and its lifetime in seconds, as clients get them. */
export type Issued = { token: string; expiresIn: number };

export type Tokens = {
  /** Tokens of an older one are not accepted any more. */
  readonly generation: number;
  issue(account: { id: string; role: "customer" | "operator" }, sessionId: string): Promise<Issued>;
  /**
   * The claims of a token that is valid now. Rejects with `auth.session_outdated` when it was ours once (an older
   * generation, a claim missing, the previous secret), with `auth.invalid_token` in every other case.
   */
  verify(token: string): Promise<TokenClaims>;
};

export type TokenOptions = {
  secret: string;
  /** Tokens under it are recognised, so that their holders are asked to sign in again; never accepted. */
  previousSecret?: string | undefined;
  ttlSeconds: number;
  /** Tokens of an older generation end at once, whatever their lifetime. */
  generation: number;
  clock: Clock;
};

const signer = (secret: string) =>
  new Elysia().use(jwt({ name: "jwt", secret, alg: "HS256", typ: type })).decorator.jwt;

export function createTokens(o: TokenOptions): Tokens {
  const current = signer(o.secret);
  const previous = o.previousSecret === undefined ? undefined : signer(o.previousSecret);
  /** What holds for every verification: our algorithm, and an exp, where there is one, that is not past. */
  const signed = () => ({
    algorithms: ["HS256"],
    clockTolerance: 0,
    currentDate: new Date(o.clock.now()),
  });

  /** Whether a token that did not verify was one of ours before the rules were tightened. */
  const wasOurs = async (token: string): Promise<boolean> => {
    if (previous && (await previous.verify(token, signed()))) return true;
    const payload = await current.verify(token, signed());
    if (!payload) return false;
    const claims: Record<string, unknown> = { ...payload, typ: headerOf(token)["typ"] };
    const expected: Record<string, unknown> = { iss: issuer, aud: audience, typ: type };
    const foreign = Object.keys(expected).some(
      (name) => claims[name] !== undefined && claims[name] !== expected[name],
    );
    return !foreign && [...requiredClaims, "typ"].some((name) => claims[name] === undefined);
  };

  return {
    generation: o.generation,

    async issue({ id, role }, sessionId) {
      const exp = Math.floor(o.clock.now() / 1000) + o.ttlSeconds;
      const claims = { iss: issuer, aud: audience, sub: id, sid: sessionId, role, ver: o.generation };
      return { token: await current.sign({ ...claims, exp }), expiresIn: o.ttlSeconds };
    },

    async verify(token) {
      if (token.length > maxTokenLength) throw coreFault("auth.invalid_token");
      const strict = { ...signed(), issuer, audience, typ: type, requiredClaims: [...requiredClaims] };
      const payload = await current.verify(token, strict);
      if (!payload) throw coreFault((await wasOurs(token)) ? "auth.session_outdated" : "auth.invalid_token");
      const claims = Payload.safeParse(payload);
      if (!claims.success) throw coreFault("auth.invalid_token");
      const { sub, sid, ver, exp } = claims.data;
      if (ver < o.generation) throw coreFault("auth.session_outdated");
      return { accountId: sub, sessionId: sid, expiresAt: exp * 1000 };
    },
  };
}

/** The header of a token whose signature has been verified. */
function headerOf(token: string): Record<string, unknown> {
  const [header = ""] = token.split(".");
  return JSON.parse(Buffer.from(header, "base64url").toString());
}
