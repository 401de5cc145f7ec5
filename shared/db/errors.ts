import { coreFault } from "#shared/fault/core.ts";
import { Fault } from "#shared/fault/fault.ts";

/** Codes of Postgres (SQLSTATE) after which the same transaction may succeed when it is run again. */
const conflicts = new Set(["40001", "40P01"]);

const codes = (...lines: string[]) => new Set(lines.flatMap((line) => line.split(" ")));

/** Codes with which the database is away or full. */
const away = codes(
  "CONNECTION_CLOSED CONNECTION_DESTROYED CONNECTION_ENDED CONNECT_TIMEOUT",
  "ECONNREFUSED ECONNRESET EPIPE ETIMEDOUT EHOSTUNREACH ENETUNREACH ENOTFOUND EAI_AGAIN",
  "08000 08001 08003 08004 08006", // connection exceptions
  "53300 53400", // too many connections, a configured limit
  "57P01 57P02 57P03 57P05", // shut down, crashed, starting up, idle too long
);

/** Codes with which it gave up for lack of time. */
const late = codes(
  "25P03 25P04", // idle in transaction, transaction time-out
  "57014", // statement time-out
);

/** The `code` of an error of the driver or of Postgres, if it has one. */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** Whether running the whole transaction again is the cure. */
export function isConflict(error: unknown): boolean {
  const code = codeOf(error);
  if (code === undefined) return false;
  // A prepared statement whose table was altered meanwhile: the driver has dropped it and prepares it anew.
  if (code === "0A000") return error instanceof Error && error.message.includes("cached plan");
  return conflicts.has(code);
}

/** Ours, to be told from what others say of services that are away, with causes of the same codes. */
const outages = new WeakSet<Fault>();

/** What the caller of `withTx` gets: an absent database is `service.unavailable`, everything else is unchanged. */
export function translate(error: unknown): unknown {
  if (!isUnavailable(error)) return error;
  const fault = coreFault("service.unavailable", {}, { cause: error });
  if (isAway(error)) outages.add(fault);
  return fault;
}

/** Whether `withTx` rejected because the database was away: no fault of the work, however often it is tried. */
export function isOutage(error: unknown): boolean {
  return error instanceof Fault && outages.has(error);
}

/** Whether an error of the driver says that the database is away; what was under way then may have happened. */
export function isAway(error: unknown): boolean {
  return away.has(codeOf(error) ?? "");
}

function isUnavailable(error: unknown): boolean {
  const code = codeOf(error);
  if (code === undefined) return false;
  // 55P03 is also what NOWAIT answers, on purpose: only the time-out is a lack of service.
  if (code === "55P03") return error instanceof Error && error.message.includes("lock timeout");
  return away.has(code) || late.has(code);
}
