import type { z } from "zod";
import type { config } from "./config.ts";
import type { AddressRules } from "./pipeline/guard-ip.ts";
import { hostRules } from "./pipeline/host.ts";
import type { Limits } from "./pipeline/limit.ts";
import { type OriginRules, originRules } from "./pipeline/origin.ts";
import type { TransferLimits } from "./pipeline/transfer.ts";

// What each part of the gateway takes from the environment.

export type Config = z.output<typeof config>;

export const publicUrl = (c: Config): string => c.ZPACK_PUBLIC_URL ?? `http://localhost:${c.ZPACK_PORT}`;

export const addressRules = (c: Config): AddressRules => ({
  trustedProxies: c.ZPACK_TRUSTED_PROXIES,
  internal: c.ZPACK_INTERNAL_CIDRS,
  operator: c.ZPACK_OPERATOR_CIDRS,
});

export const webOrigins = (c: Config): OriginRules =>
  originRules({ listed: c.ZPACK_CORS_ORIGINS, publicUrl: publicUrl(c) });

/** Throws where one address could use up what is meant for an account, and keep its owner out. */
export function rateLimits(c: Config): Limits {
  const limits: Limits = {
    register: { perAddress: c.LIMIT_REGISTER_PER_ADDRESS, perAccount: c.LIMIT_REGISTER_PER_ACCOUNT },
    login: { perAddress: c.LIMIT_LOGIN_PER_ADDRESS, perAccount: c.LIMIT_LOGIN_PER_ACCOUNT },
    recover: { perAddress: c.LIMIT_RECOVER_PER_ADDRESS, perAccount: c.LIMIT_RECOVER_PER_ACCOUNT },
    refresh: { perAddress: c.LIMIT_REFRESH_PER_ADDRESS },
  };
  for (const [name, { perAddress, perAccount }] of Object.entries(limits)) {
    if (!perAccount) continue;
    const faster = perAccount.count / perAccount.perMs > perAddress.count / perAddress.perMs;
    if (perAccount.count <= perAddress.count || !faster)
      throw new Error(
        `LIMIT_${name.toUpperCase()}_PER_ACCOUNT must allow more than LIMIT_${name.toUpperCase()}_PER_ADDRESS`,
      );
  }
  return limits;
}

export const transferLimits = (c: Config): TransferLimits => ({
  firstByteMs: c.TRANSFER_FIRST_BYTE_MS,
  stallMs: c.TRANSFER_STALL_MS,
});

/** What the pipeline applies to requests. */
export const pipelineRules = (c: Config) => ({
  addresses: addressRules(c),
  origins: webOrigins(c),
  bodyMs: c.REQUEST_BODY_MS,
  rates: rateLimits(c),
  changes: c.LIMIT_CHANGE_PER_ACCOUNT,
  rateKeys: c.LIMIT_KEYS,
  limits: transferLimits(c),
});

/** Under which names the gateway is reached, and by whom. */
export const frontRules = (c: Config) => ({
  hosts: hostRules({ allowed: c.ZPACK_ALLOWED_HOSTS, publicUrl: publicUrl(c) }),
  addresses: addressRules(c),
  origins: webOrigins(c),
  publicUrl: publicUrl(c),
  preflightSeconds: c.CORS_PREFLIGHT_SECONDS,
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
  maxPerAccount: c.API_SESSIONS_PER_ACCOUNT,
});

/** What the verbs of accounts go by. */
export const accountSettings = (c: Config) => ({
  publicUrl: publicUrl(c),
  refreshSeconds: c.API_AUTH_SESSION_TTL_SECONDS,
  resetMs: c.PASSWORD_RESET_TTL_SECONDS * 1000,
  maxKeys: c.API_KEYS_PER_ACCOUNT,
});

export const recoverySettings = (c: Config) => ({
  resetMs: c.PASSWORD_RESET_TTL_SECONDS * 1000,
  mailRestMs: c.PASSWORD_MAIL_REST_SECONDS * 1000,
});

const day = 86_400_000;

export const retention = (c: Config) => ({
  auditMs: c.AUDIT_RETENTION_DAYS * day,
  mailMs: c.MAIL_RETENTION_DAYS * day,
});

/** The account that must exist from the first start on, where the installation names one. */
export function operatorOf(c: Config): { email: string; username: string; password: string } | undefined {
  const { OPERATOR_EMAIL: email, OPERATOR_USERNAME: username, OPERATOR_PASSWORD: password } = c;
  return email && password ? { email, username, password } : undefined;
}
