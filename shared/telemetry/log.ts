import pino from "pino";
import { redact } from "./redact.ts";

type Write = (fields: Record<string, unknown>, message: string) => void;
export type Logger = {
  debug: Write;
  info: Write;
  warn: Write;
  error: Write;
  fatal: Write;
  /** A logger whose every line carries `fields`. */
  child(fields: Record<string, unknown>): Logger;
};

const levels = ["debug", "info", "warn", "error", "fatal"] as const;
export type Level = (typeof levels)[number] | "silent";

/**
 * JSON lines on stdout, written synchronously: a line that was logged before a crash is there after it.
 * Every line is redacted before pino sees it, so no call site can forget to.
 */
export function createLogger(service: string, level: Level = "info"): Logger {
  const sink = pino(
    // Errors arrive as the plain objects that `redact` made; pino's own serializer would only lose their type.
    {
      level,
      base: { service },
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { err: (err) => err as unknown },
    },
    pino.destination({ dest: 1, sync: true }),
  );
  return wrap((severity, fields, message) => sink[severity](fields, message), {});
}

export const silentLogger: Logger = wrap(() => {}, {});

/** A logger that hands every line to `write`; tests use it to look at what would be logged. */
export function wrap(
  write: (level: (typeof levels)[number], fields: object, message: string) => void,
  bound: Record<string, unknown>,
): Logger {
  const at =
    (level: (typeof levels)[number]): Write =>
    (fields, message) =>
      write(level, redact({ ...bound, ...fields }) as object, redact(message) as string);
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    fatal: at("fatal"),
    child: (fields) => wrap(write, { ...bound, ...fields }),
  };
}
