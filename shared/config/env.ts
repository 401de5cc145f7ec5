import { z } from "zod";

/**
 * Parses the environment by a schema, once, at start. Throws one error that names every unknown or missing value;
 * values themselves are never in the message, because they may be secrets.
 */
export function parseEnv<Z extends z.ZodObject>(
  schema: Z,
  env: Readonly<Record<string, string | undefined>>,
): z.output<Z> {
  // An empty variable is how shells and unit files say "not set".
  const given = Object.fromEntries(
    Object.entries(env).filter(([, value]) => value !== undefined && value !== ""),
  );
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  const lines = result.error.issues.map((issue) => `  ${issue.path.join(".")}: ${issue.message}`);
  throw new Error(`The configuration is not complete:\n${lines.join("\n")}`);
}

/** A number of milliseconds. */
export const milliseconds = (fallback: number) => z.coerce.number().int().min(0).default(fallback);

/** A comma-separated list; empty entries are dropped. */
export const list = z
  .string()
  .default("")
  .transform((text) =>
    text
      .split(",")
      .map((item) => item.trim())
      .filter(Boolean),
  );

/** `true`, `1`, `yes`, `on` and their opposites. */
export const flag = (fallback: boolean) => z.stringbool().default(fallback);

/** What every service is given. */
export const baseConfig = z.object({
  NATS_URL: z.string(),
  NATS_USER: z.string(),
  NATS_PASSWORD: z.string(),
  DATABASE_URL: z.string(),
  DATABASE_POOL: z.coerce.number().int().min(2).max(100).default(10),
  /** How long operations that have ended can be looked at, and jobs that failed at every attempt; days. */
  OPERATION_RETENTION_DAYS: z.coerce.number().positive().default(90),
  DEAD_JOB_RETENTION_DAYS: z.coerce.number().positive().default(30),
  LOG_LEVEL: z.enum(["debug", "info", "warn", "error", "fatal", "silent"]).default("info"),
});
