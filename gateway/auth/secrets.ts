import { timingSafeEqual } from "node:crypto";

/** 256 bits of chance in 43 characters that fit a cookie, a header and a URL. */
export const newSecret = (): string =>
  Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64url");

/** What a secret of {@link newSecret} looks like; anything else is not worth a look at the database. */
export const secretShape = /^[\w-]{43}$/;

/** The sha256 under which a secret is stored. Enough for 256 bits of chance; passwords need argon2id. */
export const hashOf = (secret: string): string =>
  new Bun.CryptoHasher("sha256").update(secret).digest("base64url");

/** Compares two hashes without telling by its time how far they agree. */
export const sameHash = (one: string, other: string): boolean =>
  one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other));
