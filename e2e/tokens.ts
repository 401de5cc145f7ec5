import { createHmac } from "node:crypto";

// Tokens as anybody could write them who knows a secret, or does not. Runs under Node: nothing here may touch Bun.

const secret = "a secret of the end-to-end suites, of no use elsewhere";
const previousSecret = "the secret of the system before this one, of no use either";

/** Settings of the stack that all files share: so that a test can sign what the gateway should not accept. */
export const tokenEnv = {
  API_AUTH_SECRET: secret,
  API_AUTH_SECRET_PREVIOUS: previousSecret,
  ZPACK_TOKEN_GENERATION: "2",
};

type Fields = Record<string, unknown>;

/** What a token claims, unverified. */
export function claimsOf(token: string): Fields {
  const [, claims = ""] = token.split(".");
  return JSON.parse(Buffer.from(claims, "base64url").toString()) as Fields;
}

/** A token under `key` by the HMAC that the header names; `none` leaves it unsigned. */
export function signed(claims: Fields, header: Fields = {}, key = secret): string {
  const head: Fields = { alg: "HS256", typ: "at+jwt", ...header };
  const text = [head, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".");
  const alg = String(head["alg"]);
  if (!alg.startsWith("HS")) return `${text}.`;
  return `${text}.${createHmac(`sha${alg.slice(2)}`, key)
    .update(text)
    .digest("base64url")}`;
}

/** Variants of a valid token that nobody may get in with, by what is wrong with each. */
export function refused(token: string): Record<string, string> {
  const [head = "", , signature = ""] = token.split(".");
  const claims = claimsOf(token);
  const altered = Buffer.from(JSON.stringify({ ...claims, role: "operator" })).toString("base64url");
  const past = Math.floor(Date.now() / 1000) - 1;
  return {
    expired: signed({ ...claims, exp: past }),
    "with altered claims": `${head}.${altered}.${signature}`,
    "with an altered signature": `${token.slice(0, -8)}${token.at(-8) === "A" ? "B" : "A"}${token.slice(-7)}`,
    unsigned: `${token.split(".").slice(0, 2).join(".")}.`,
    "of another issuer": signed({ ...claims, iss: "elsewhere" }),
    "for another audience": signed({ ...claims, aud: "zpack-ide" }),
    "of another type": signed(claims, { typ: "JWT" }),
    "that asks for no algorithm": signed(claims, { alg: "none" }),
    "under another algorithm of the same family": signed(claims, { alg: "HS512" }),
    "under another secret": signed(claims, {}, "x".repeat(40)),
    "of a session that is not there": signed({ ...claims, sid: "ses_00000000000000000000000000" }),
    "of nobody": signed({ ...claims, sub: "acc_00000000000000000000000000" }),
    "that is none": "nonsense",
    "that looks like an API key": "zpk_nobody_secret",
  };
}

/** Tokens that were good once: their holder has to sign in again. */
export function outdated(token: string): Record<string, string> {
  const claims = claimsOf(token);
  const { sid: _, ...older } = claims;
  const { exp, sub, iat } = claims;
  return {
    "of an older generation": signed({ ...claims, ver: 1 }),
    "without a session": signed(older),
    "of the old system": signed(
      { sub, email: "ada@example.org", username: "ada", scopes: ["*"], iat, exp },
      { typ: "JWT" },
      previousSecret,
    ),
  };
}
