import { z } from "zod";
import { list, milliseconds } from "#shared/config/env.ts";
import { Email, Username } from "./auth/routes/common.ts";
import { parseCidrs } from "./pipeline/cidr.ts";
import { hostRules } from "./pipeline/host.ts";
import { parseOrigins } from "./pipeline/origin.ts";

const seconds = z.coerce.number().int().min(1);
const days = (fallback: number) => z.coerce.number().min(1).max(36_500).default(fallback);

/** Comma-separated addresses and ranges. */
const cidrs = list.transform((entries, ctx) => {
  try {
    return parseCidrs(entries);
  } catch (error) {
    ctx.addIssue({ code: "custom", message: error instanceof Error ? error.message : "no address ranges" });
    return z.NEVER;
  }
});

const hosts = list.refine((allowed) => {
  try {
    return hostRules({ allowed, publicUrl: "http://localhost" }).size > 0;
  } catch {
    return false;
  }
}, "not a list of host names");

/** Comma-separated origins, each of them whole: no pattern, no path. */
const origins = list.transform((entries, ctx) => {
  try {
    return parseOrigins(entries);
  } catch (error) {
    ctx.addIssue({ code: "custom", message: error instanceof Error ? error.message : "no origins" });
    return z.NEVER;
  }
});

/** `10/60`: ten at once, and then ten in every 60 seconds. */
const rate = (fallback: `${number}/${number}`) =>
  z
    .string()
    .regex(/^[1-9]\d{0,6}\/[1-9]\d{0,5}$/, "must be a count and its seconds, such as 10/60")
    .default(fallback)
    .transform((text) => {
      const [count = 1, inSeconds = 1] = text.split("/").map(Number);
      return { count, perMs: inSeconds * 1000 };
    });

/** The gateway's own environment. */
export const config = z.object({
  ZPACK_BIND: z.string().default("127.0.0.1"),
  ZPACK_PORT: z.coerce.number().int().min(0).max(65_535).default(4000),
  /** Where clients reach the gateway; without it, localhost and the port. */
  ZPACK_PUBLIC_URL: z.url({ protocol: /^https?$/ }).optional(),
  ZPACK_TRUSTED_PROXIES: cidrs,
  ZPACK_INTERNAL_CIDRS: cidrs,
  ZPACK_OPERATOR_CIDRS: cidrs,
  ZPACK_ALLOWED_HOSTS: hosts,
  /** Origins of web pages that may call the API. */
  ZPACK_CORS_ORIGINS: origins,
  CORS_PREFLIGHT_SECONDS: seconds.default(600),
  API_AUTH_SECRET: z.string().min(32, "needs at least 32 characters"),
  API_AUTH_SECRET_PREVIOUS: z.string().optional(),
  API_AUTH_TTL_SECONDS: seconds.default(3600),
  /** Of a session since it was last refreshed, and of the cookie that refreshes it. */
  API_AUTH_SESSION_TTL_SECONDS: seconds.default(30 * 86_400),
  /** How long a token is believed without a look at its session. */
  API_AUTH_CACHE_MS: milliseconds(30_000).pipe(z.number().max(30_000)),
  /** Raised to end every token that was issued before. */
  ZPACK_TOKEN_GENERATION: z.coerce.number().int().min(1).default(1),
  /** Sessions that one account may have at a time; a further sign-in ends the one that was used longest ago. */
  API_SESSIONS_PER_ACCOUNT: z.coerce.number().int().min(1).max(200).default(50),
  API_KEYS_PER_ACCOUNT: z.coerce.number().int().min(0).default(50),
  PASSWORD_RESET_TTL_SECONDS: seconds.default(1800),
  /** While the token of a reset mail can be used, no further mail goes out for so long. */
  PASSWORD_MAIL_REST_SECONDS: z.coerce.number().int().min(0).default(300),
  /** Lines of the audit log that are older are removed, and so is mail that was delivered longer ago. */
  AUDIT_RETENTION_DAYS: days(400),
  MAIL_RETENTION_DAYS: days(30),
  ACCOUNTS_PURGE_MS: milliseconds(600_000).pipe(z.number().min(1_000)),
  /** Requests for reset mail: how long a worker that vanished keeps one, and how often forgotten ones are looked for. */
  ACCOUNTS_LEASE_MS: milliseconds(30_000).pipe(z.number().min(1_000)),
  ACCOUNTS_SWEEP_MS: milliseconds(5_000).pipe(z.number().min(1)),
  PASSWORD_CONCURRENCY: z.coerce.number().int().min(1).default(2),
  LIMIT_REGISTER_PER_ADDRESS: rate("60/600"),
  LIMIT_REGISTER_PER_ACCOUNT: rate("90/600"),
  LIMIT_LOGIN_PER_ADDRESS: rate("10/60"),
  LIMIT_LOGIN_PER_ACCOUNT: rate("30/60"),
  LIMIT_RECOVER_PER_ADDRESS: rate("5/300"),
  LIMIT_RECOVER_PER_ACCOUNT: rate("15/300"),
  LIMIT_REFRESH_PER_ADDRESS: rate("120/60"),
  /** Whatever a signed-in account changes. */
  LIMIT_CHANGE_PER_ACCOUNT: rate("600/60"),
  /** How many addresses and accounts each limit remembers. */
  LIMIT_KEYS: z.coerce.number().int().min(1).default(50_000),
  /** Until the whole of a JSON body must have come. The runtime gives a request a minute in any case. */
  REQUEST_BODY_MS: milliseconds(30_000).pipe(z.number().min(1).max(55_000)),
  TRANSFER_FIRST_BYTE_MS: milliseconds(30_000).pipe(z.number().min(1)),
  TRANSFER_STALL_MS: milliseconds(300_000).pipe(z.number().min(1)),
  OPERATOR_EMAIL: Email.optional(),
  OPERATOR_USERNAME: Username.default("operator"),
  OPERATOR_PASSWORD: z.string().min(8).optional(),
});
