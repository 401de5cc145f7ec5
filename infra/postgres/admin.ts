import { openDriver, type Tx } from "#shared/db/connect.ts";
import { silentLogger } from "#shared/telemetry/log.ts";

/**
 * Runs `fn` on one connection outside of any transaction, closed afterwards: for what cannot be done in one
 * (create database) and for roles. Not for services. The driver's errors pass unchanged.
 */
export async function asAdmin<T>(url: string, fn: (sql: Tx) => Promise<T>): Promise<T> {
  const sql = openDriver(url, {
    max: 1,
    connectTimeoutMs: 10_000,
    log: silentLogger,
    session: { application_name: "zpack-admin" },
  });
  try {
    return await fn(sql as Tx);
  } finally {
    await sql.end({ timeout: 5 });
  }
}

/** `"name"`, safe to put into a statement that takes no parameters. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** `'text'`, safe to put into a statement that takes no parameters. */
export function literal(text: string): string {
  if (text.includes("\\")) throw new Error("a literal must not hold a backslash");
  return `'${text.replaceAll("'", "''")}'`;
}
