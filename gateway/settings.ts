import type { z } from "zod";
import type { config } from "./config.ts";
import type { AddressRules } from "./pipeline/guard-ip.ts";
import type { TransferLimits } from "./pipeline/transfer.ts";

// What each part of the gateway takes from the environment.

export type Config = z.output<typeof config>;

export const publicUrl = (c: Config): string => c.ZPACK_PUBLIC_URL ?? `http://localhost:${c.ZPACK_PORT}`;

export const addressRules = (c: Config): AddressRules => ({
  trustedProxies: c.ZPACK_TRUSTED_PROXIES,
  internal: c.ZPACK_INTERNAL_CIDRS,
  operator: c.ZPACK_OPERATOR_CIDRS,
});

export const transferLimits = (c: Config): TransferLimits => ({
  firstByteMs: c.TRANSFER_FIRST_BYTE_MS,
  stallMs: c.TRANSFER_STALL_MS,
});

export const tokenOptions = (c: Config) => ({
  secret: c.API_AUTH_SECRET,
  previousSecret: c.API_AUTH_SECRET_PREVIOUS,
  ttlSeconds: c.API_AUTH_TTL_SECONDS,
  generation: c.ZPACK_TOKEN_GENERATION,
});

export const sessionOptions = (c: Config) => ({
  ttlMs: c.API_AUTH_SESSION_TTL_SECONDS * 1000,
  cacheMs: c.API_AUTH_CACHE_MS,
});

/** The account that must exist from the first start on, where the installation names one. */
export function operatorOf(c: Config): { email: string; username: string; password: string } | undefined {
  const { OPERATOR_EMAIL: email, OPERATOR_USERNAME: username, OPERATOR_PASSWORD: password } = c;
  return email && password ? { email, username, password } : undefined;
}
