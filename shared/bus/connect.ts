import { connect, type NatsConnection } from "nats";
import { coreFault } from "#shared/fault/core.ts";
import type { Logger } from "#shared/telemetry/log.ts";
import { Calls } from "./calls.ts";
import { Link } from "./link.ts";
import { closeAbandonedSockets } from "./transport.ts";

closeAbandonedSockets();

/** A connection to the bus under one service's own user. */
export type Bus = {
  readonly name: string;
  readonly nc: NatsConnection;
  readonly log: Logger;
  readonly link: Link;
  readonly calls: Calls;
};

/**
 * Connects as `name` and keeps reconnecting for ever. The first connection is tried for `waitMs` milliseconds, then
 * rejects with `service.unavailable`.
 */
export async function connectBus(o: {
  name: string;
  url: string;
  user: string;
  password: string;
  log: Logger;
  waitMs?: number;
  /** Between two looks whether a server that says nothing is still there; it counts as gone at the third in vain. */
  pingMs?: number;
  /** One attempt to connect. A server may die between its greeting and the rest, which nothing but this tells. */
  dialMs?: number;
}): Promise<Bus> {
  const deadline = Date.now() + (o.waitMs ?? 15_000);
  // Each user may subscribe below its own prefix only: nobody reads another's replies.
  const inboxPrefix = `_INBOX.${o.name}`;
  for (;;) {
    try {
      const nc = await connect({
        servers: o.url,
        name: o.name,
        user: o.user,
        pass: o.password,
        inboxPrefix,
        maxReconnectAttempts: -1,
        reconnectTimeWait: 250,
        reconnectJitter: 100,
        timeout: o.dialMs ?? 5_000,
        noAsyncTraces: true,
        pingInterval: o.pingMs ?? 3_000,
        maxPingOut: 2,
      });
      const link = new Link();
      const bus = { name: o.name, nc, log: o.log, link, calls: new Calls(nc, link, inboxPrefix) };
      void watch(bus);
      return bus;
    } catch (cause) {
      if (Date.now() > deadline) throw coreFault("service.unavailable", {}, { cause });
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/** A forbidden publish does not throw: the status stream is the only place that tells, so it is logged as a fault. */
async function watch({ nc, log, link, calls }: Bus): Promise<void> {
  for await (const status of nc.status()) {
    const type: string = status.type;
    const fields = { type, data: typeof status.data === "string" ? status.data : undefined };
    if (type === "error") {
      log.error({ ...fields, ...status.permissionContext }, "the bus refused an operation");
      if (status.permissionContext?.operation === "publish")
        calls.forbidden(status.permissionContext.subject);
    } else if (type === "disconnect") {
      link.set(false);
      log.warn(fields, "the bus is disconnected");
    } else if (type === "reconnect") {
      link.set(true);
      log.info(fields, "the bus is connected again");
    }
  }
  link.set(false);
}

/** Finishes what is in flight, then closes. Safe to call twice, and while the server is away. */
export async function closeBus(bus: Bus): Promise<void> {
  if (bus.nc.isClosed()) return;
  // Nothing can be finished with a server that is away.
  if (!bus.link.isUp) return await bus.nc.close();
  const drained = bus.nc.drain().catch(() => bus.nc.close());
  let timer: ReturnType<typeof setTimeout> | undefined;
  const bounded = new Promise<void>((resolve) => (timer = setTimeout(resolve, 3_000)));
  await Promise.race([drained, bounded]);
  clearTimeout(timer);
  await bus.nc.close();
}
