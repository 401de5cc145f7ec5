import type { z } from "zod";
import { consume, type Reaction } from "#shared/bus/consume.ts";
import { type Bus, closeBus, connectBus } from "#shared/bus/connect.ts";
import { eventsKeptMs } from "#shared/bus/events.ts";
import { publisher } from "#shared/bus/publisher.ts";
import { serve } from "#shared/bus/serve.ts";
import { wakeBus, type WakeBus } from "#shared/bus/wake.ts";
import { baseConfig, parseEnv } from "#shared/config/env.ts";
import type { Contract } from "#shared/contract/define.ts";
import type { Authority } from "#shared/contract/dispatch.ts";
import type { Service } from "#shared/contract/implement.ts";
import { connectDb, type Db } from "#shared/db/connect.ts";
import { mechanismMigrations, migrate } from "#shared/db/migrate.ts";
import { startPurge } from "#shared/db/purge.ts";
import { startRelay } from "#shared/db/relay.ts";
import { newId } from "#shared/ids/ids.ts";
import { createLogger, type Logger } from "#shared/telemetry/log.ts";
import { type Clock, systemClock } from "./clock.ts";
import { onStop, ready } from "./lifecycle.ts";

export type Running = {
  /** What the service answers on the bus; of the gateway's routes those for other services alone. */
  service?: Service;
  /** Who decides for `policy.server`; needed as soon as a route declares it. */
  authority?: Authority;
  /** Handlers of the events that the contract consumes: exactly those. */
  reactions?: readonly Reaction[];
  /** Stopped one after the other, before the bus and the database are left. */
  workers?: readonly { stop(): Promise<void> | void }[];
};

export type Parts<C> = { config: C; bus: Bus; db: Db; log: Logger; clock: Clock; wake: WakeBus };

/**
 * The life of a service process: configuration, database and its migrations, bus, the service's own parts, then
 * serving until SIGTERM or SIGINT, then everything in the opposite order. Any error before that ends the process
 * with one clear line, and so does an error that nobody handled: a supervisor starts it again.
 */
export async function runService<Z extends z.ZodObject>(o: {
  contract: Contract;
  config: Z;
  migrations: string;
  start(parts: Parts<z.output<Z>>): Promise<Running> | Running;
}): Promise<void> {
  const { contract } = o;
  const { service: name } = contract;
  const base = parseEnv(baseConfig, process.env);
  const config = parseEnv(o.config, process.env);
  const log = createLogger(name, base.LOG_LEVEL);
  const stop = onStop(log);
  const db = connectDb({ url: base.DATABASE_URL, schema: name, name, max: base.DATABASE_POOL, log });
  stop.last("database", () => db.close());
  await migrate(db, [mechanismMigrations, { name, dir: o.migrations }]);
  const bus = await connectBus({
    name,
    url: base.NATS_URL,
    user: base.NATS_USER,
    password: base.NATS_PASSWORD,
    log,
  });
  stop.last("bus", () => closeBus(bus));
  const relay = startRelay({ db, publisher: publisher(bus), clock: systemClock, log });
  stop.last("relay", () => relay.stop());
  const keep = {
    publishedMs: eventsKeptMs,
    idempotencyMs: 2 * dayMs,
    operationMs: base.OPERATION_RETENTION_DAYS * dayMs,
    deadJobMs: base.DEAD_JOB_RETENTION_DAYS * dayMs,
  };
  const purge = startPurge({ db, keep, clock: systemClock, log });
  stop.last("purge", () => purge.stop());

  const running = await o.start({ config, bus, db, log, clock: systemClock, wake: wakeBus(bus) });
  for (const worker of running.workers ?? []) stop.last("worker", () => worker.stop());
  const reactions = running.reactions ?? [];
  const missing = contract.consumes.filter((consumed) => !reactions.some((r) => r.consumed === consumed));
  if (missing.length > 0 || reactions.length !== contract.consumes.length)
    throw new Error(
      `${name} must react to what its contract consumes, and to nothing else: ${missing.join(", ")}`,
    );
  for (const reaction of reactions) {
    const consumer = consume({ bus, reaction, clock: systemClock, log });
    stop.last("consumer", () => consumer.stop());
  }
  if (running.service) {
    const { operations } = contract;
    const served = await serve(bus, running.service, {
      log,
      ...(running.authority ? { authority: running.authority } : {}),
      ...(operations ? { newOperationId: () => newId(operations) } : {}),
    });
    stop.last("calls", () => served.stop());
  }
  ready();
  log.info({ version: contract.version }, "ready");
}

const dayMs = 24 * 60 * 60 * 1000;
