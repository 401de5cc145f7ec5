import { coreFault } from "#shared/fault/core.ts";
import { type Db, type Pool, poolOf, type Statement, type Tx } from "./connect.ts";
import { codeOf, isAway, isConflict, translate } from "./errors.ts";

export type TxOptions = {
  readOnly?: boolean;
  /** The whole transaction; by default the database's own limit. Milliseconds. */
  timeoutMs?: number;
};

const maxAttempts = 5;
/** How it shows that the server has ended a connection: orderly, or as a reset where bytes were still under way. */
const endsOfConnections: ReadonlySet<string> = new Set(["CONNECTION_CLOSED", "ECONNRESET", "EPIPE"]);

/** How a transaction ended. `unknown`: the confirmation was lost, or not waited for any longer. */
export type TxEnd = "committed" | "rolled back" | "unknown";

type Open = { db: Db; committed: (() => void)[]; ended: ((end: TxEnd) => void)[]; end?: TxEnd };
const open = new WeakMap<Tx, Open>();

/**
 * Runs `fn` in a transaction: committed when it resolves, rolled back when it rejects. The only way to the database.
 *
 * `fn` may run several times (serialisation failures, deadlocks), so it has no effect but through `tx`, and it never
 * waits for the network. Rejects with `service.unavailable` when the database is away, was lost before the commit was
 * confirmed, or took longer than `timeoutMs`; with any other error of `fn` or of Postgres unchanged.
 */
export async function withTx<T>(db: Db, fn: (tx: Tx) => Promise<T>, options: TxOptions = {}): Promise<T> {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), options.timeoutMs ?? poolOf(db).transactionTimeoutMs);
  try {
    return await attempts(db, fn, options, limit.signal);
  } finally {
    clearTimeout(timer);
  }
}

async function attempts<T>(
  db: Db,
  fn: (tx: Tx) => Promise<T>,
  options: TxOptions,
  limit: AbortSignal,
): Promise<T> {
  const pool = poolOf(db);
  for (let attempt = 1; ; attempt++) {
    const scope: Open = { db, committed: [], ended: [] };
    let began = false;
    try {
      const run = (tx: Tx) => {
        began = true;
        open.set(tx, scope);
        return fn(tx);
      };
      const result = await once(pool, run, options, limit);
      settle(pool, scope, "committed");
      return result;
    } catch (error) {
      settle(pool, scope, limit.aborted || isAway(error) ? "unknown" : "rolled back");
      // An idle connection that the server closed just now is noticed at "begin": nothing has happened yet.
      const stale = !began && endsOfConnections.has(codeOf(error) ?? "");
      if (attempt >= maxAttempts || limit.aborted || !(isConflict(error) || stale)) throw translate(error);
      await Bun.sleep(Math.random() * 10 * 2 ** attempt);
    }
  }
}

/**
 * Runs one statement as a transaction of its own, in one round trip where `withTx` takes three: for what is asked all
 * the time. Rejects like `withTx`, also when the connection was lost before the answer: it may have happened then.
 */
export async function single<R extends readonly object[]>(
  db: Db,
  statement: (sql: Tx) => Statement<R>,
  options: Pick<TxOptions, "timeoutMs"> = {},
): Promise<R> {
  const pool = poolOf(db);
  for (let attempt = 1; ; attempt++) {
    try {
      return await alone(pool, statement, options.timeoutMs ?? pool.transactionTimeoutMs);
    } catch (error) {
      if (attempt >= maxAttempts || !isConflict(error)) throw translate(error);
      await Bun.sleep(Math.random() * 10 * 2 ** attempt);
    }
  }
}

async function alone<R extends readonly object[]>(
  pool: Pool,
  statement: (sql: Tx) => Statement<R>,
  timeoutMs: number,
): Promise<R> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const { sql } = pool;
  const query = statement(sql as Tx);
  const timer = setTimeout(() => {
    reject(coreFault("service.unavailable", { detail: "The database took too long" }));
    // What still waits for a connection never begins; what was sent is ended by the server's own time limit.
    if (Reflect.get(query, "state") === null) query.cancel();
    watchStuck(pool, sql, query);
  }, timeoutMs);
  try {
    return await Promise.race([query, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Runs `fn` once the transaction has committed; never when it did not. `fn` wakes somebody, it does not fail. */
export function afterCommit(tx: Tx, fn: () => void): void {
  openTx(tx).committed.push(fn);
}

/**
 * Runs `fn` once the transaction, or this attempt at it, is over; at once when it is over already, as for a function
 * that goes on after its time was up. `fn` does not fail.
 */
export function afterEnd(tx: Tx, fn: (end: TxEnd) => void): void {
  const scope = openTx(tx);
  if (scope.end) fn(scope.end);
  else scope.ended.push(fn);
}

/** The database that a running transaction belongs to. */
export function dbOf(tx: Tx): Db {
  return openTx(tx).db;
}

function openTx(tx: Tx): Open {
  const found = open.get(tx);
  if (!found) throw new Error("not a transaction of withTx");
  return found;
}

/**
 * One attempt. When time is up, the transaction is given up: its function's promise no longer counts, the driver rolls
 * it back as soon as the connection answers, and refuses whatever the function still sends.
 */
async function once<T>(
  pool: Pool,
  fn: (tx: Tx) => Promise<T>,
  { readOnly = false }: TxOptions,
  limit: AbortSignal,
): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const giveUp = () => reject(coreFault("service.unavailable", { detail: "The database took too long" }));
  late.catch(() => {});
  if (limit.aborted) giveUp();
  else limit.addEventListener("abort", giveUp, { once: true });
  try {
    const { sql } = pool;
    const work = sql.begin(readOnly ? "read only" : "read write", async (tx) => {
      // The driver may get its connection only after the time was up: then nothing may begin any more.
      if (limit.aborted) return await late;
      limit.addEventListener("abort", () => watchStuck(pool, sql, work), { once: true });
      return { value: await Promise.race([late, fn(tx as Tx)]) };
    });
    work.catch(() => {});
    return (await Promise.race([late, work])).value;
  } finally {
    limit.removeEventListener("abort", giveUp);
  }
}

const rollbackMs = 1_000;

/**
 * A connection whose network went away without a word stays open for a quarter of an hour. When that holds for every
 * connection of a pool, the pool is replaced: so the service is back as soon as the database can be reached.
 */
function watchStuck(pool: Pool, sql: Pool["sql"], work: Promise<unknown>): void {
  const settled = () => {
    clearTimeout(timer);
    if (counted && pool.sql === sql) pool.stuck--;
  };
  let counted = false;
  const timer = setTimeout(() => {
    if (pool.sql !== sql) return;
    counted = true;
    if (++pool.stuck < pool.max) return;
    pool.log.warn({ connections: pool.max }, "no connection answers: all of them are replaced");
    pool.replace();
  }, rollbackMs);
  work.then(settled, settled);
}

function settle(pool: Pool, scope: Open, end: TxEnd): void {
  scope.end = end;
  for (const fn of [...scope.ended, ...(end === "committed" ? scope.committed : [])]) {
    try {
      fn(end);
    } catch (error) {
      pool.log.error({ err: error }, "a step after a transaction failed");
    }
  }
}
