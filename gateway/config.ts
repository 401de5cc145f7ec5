import { z } from "zod";
import { list, milliseconds } from "#shared/config/env.ts";
import { parseCidrs } from "./pipeline/cidr.ts";
import { hostRules } from "./pipeline/host.ts";

const seconds = z.coerce.number().int().min(1);

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
  API_AUTH_SECRET: z.string().min(32, "needs at least 32 characters"),
  API_AUTH_SECRET_PREVIOUS: z.string().optional(),
  API_AUTH_TTL_SECONDS: seconds.default(3600),
  API_AUTH_SESSION_TTL_SECONDS: seconds.default(30 * 86_400),
  /** How long a token is believed without a look at its session. */
  API_AUTH_CACHE_MS: milliseconds(30_000).pipe(z.number().max(30_000)),
  /** Raised to end every token that was issued before. */
  ZPACK_TOKEN_GENERATION: z.coerce.number().int().min(1).default(1),
  PASSWORD_CONCURRENCY: z.coerce.number().int().min(1).default(2),
  TRANSFER_FIRST_BYTE_MS: milliseconds(30_000).pipe(z.number().min(1)),
  TRANSFER_STALL_MS: milliseconds(300_000).pipe(z.number().min(1)),
  OPERATOR_EMAIL: z.email().optional(),
  OPERATOR_USERNAME: z.string().min(3).default("operator"),
  OPERATOR_PASSWORD: z.string().min(8).optional(),
});
