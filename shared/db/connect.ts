import postgres from "postgres";
import { type Logger, silentLogger } from "#shared/telemetry/log.ts";
import { schemaOf } from "./names.ts";

/**
 * The statements of one transaction: `` await tx<Row[]>`select …` ``, valid until `withTx`'s function has ended.
 *
 * Names: columns are snake_case in SQL and camelCase in rows and in the `tx({…})` helpers, so that nobody maps by
 * hand. Only column names are turned: what is inside a jsonb value stays as it was written.
 *
 * Values: timestamptz ↔ Date (milliseconds; never compare one for equality with a stored microsecond), date ↔
 * "2030-01-31", json and jsonb ↔ any JSON value through `tx.json(value)`, int8 (so `count(*)` too) → number where it
 * is a safe integer and bigint beyond, numeric → string, null ↔ null. An undefined parameter is an error.
 */
export type Tx = postgres.ISql & { json(value: unknown): postgres.Parameter };

/** One statement of a `Tx`, sent when it is waited for. */
export type Statement<R extends readonly postgres.MaybeRow[]> = postgres.PendingQuery<R>;

/** The driver itself, without the guards of `withTx`. */
export type Driver = postgres.Sql;

/** The rights and limits of one service's connections. Statements run through `withTx` only. */
export type Db = {
  /** As it is called in SQL. */
  readonly schema: string;
  /** Waits up to `graceMs` (5,000) for running transactions, then cuts them. Later transactions are refused. */
  close(graceMs?: number): Promise<void>;
};

export type DbOptions = {
  url: string;
  /** The service's name; its schema, the same with underscores for dashes, is the whole search path. */
  schema: string;
  /** Shown as application_name. */
  name: string;
  /** Connections at most; they are opened when needed. */
  max?: number;
  /** One statement, in milliseconds. */
  statementTimeoutMs?: number;
  /** The wait for one lock, in milliseconds. */
  lockTimeoutMs?: number;
  /** Opening a connection, in milliseconds. */
  connectTimeoutMs?: number;
  /** A whole transaction, the wait for a free connection included, in milliseconds. */
  transactionTimeoutMs?: number;
  log?: Logger;
};

export type Pool = {
  sql: Driver;
  /** Gives all connections up and opens others when needed; what runs on the old ones is refused. */
  replace(): void;
  readonly max: number;
  readonly transactionTimeoutMs: number;
  readonly log: Logger;
  /** Transactions that were given up and whose connection does not answer. */
  stuck: number;
};

const pools = new WeakMap<Db, Pool>();

/**
 * A pool of connections to one schema. It connects when first used, and again by itself after the database was
 * away: until then every transaction is refused with `service.unavailable` within `transactionTimeoutMs`.
 */
export function connectDb(options: DbOptions): Db {
  const schema = schemaOf(options.schema);
  const log = options.log ?? silentLogger;
  const max = options.max ?? 10;
  const open = () =>
    openDriver(options.url, {
      max,
      connectTimeoutMs: options.connectTimeoutMs ?? 5_000,
      log,
      session: {
        application_name: options.name,
        search_path: schema,
        statement_timeout: options.statementTimeoutMs ?? 15_000,
        lock_timeout: options.lockTimeoutMs ?? 10_000,
        idle_in_transaction_session_timeout: 30_000,
      },
    });
  const pool: Pool = {
    sql: open(),
    max,
    log,
    stuck: 0,
    transactionTimeoutMs: options.transactionTimeoutMs ?? 30_000,
    replace() {
      void pool.sql.end({ timeout: 0 });
      pool.sql = open();
      pool.stuck = 0;
    },
  };
  const db: Db = { schema, close: (graceMs = 5_000) => pool.sql.end({ timeout: graceMs / 1000 }) };
  pools.set(db, pool);
  return db;
}

/** For `withTx` alone: everything else goes through it. */
export function poolOf(db: Db): Pool {
  const pool = pools.get(db);
  if (!pool) throw new Error("not a database of connectDb");
  return pool;
}

export type DriverOptions = {
  max: number;
  connectTimeoutMs: number;
  log: Logger;
  /** Settings of every session. */
  session: Record<string, string | number>;
};

/** The driver with our types and names. For `connectDb`, for administration, and for the driver's own tests. */
export function openDriver(url: string, options: DriverOptions): Driver {
  return postgres(url, {
    max: options.max,
    connect_timeout: options.connectTimeoutMs / 1000,
    // The driver's own back-off grows to 20 s, during which a database that is back again stays "away".
    backoff: (attempts) => Math.min(attempts * 0.05, 0.5),
    keep_alive: 10,
    onnotice: (notice) => options.log.debug({ notice: notice.message }, "notice from Postgres"),
    connection: options.session,
    transform: { column: { from: postgres.toCamel, to: postgres.fromCamel } },
    types: { int8, date },
  });
}

const int8: postgres.PostgresType<number | bigint> = {
  to: 20,
  from: [20],
  parse: (text: string) => {
    const number = Number(text);
    return Number.isSafeInteger(number) ? number : BigInt(text);
  },
  serialize: String,
};

/** A calendar day has no time zone, so it is no Date. */
const date: postgres.PostgresType<string> = { to: 1082, from: [1082], parse: String, serialize: String };
