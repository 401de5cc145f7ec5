import { connect, type NatsConnection } from "nats";
import { coreFault } from "#shared/fault/core.ts";
import { atMost } from "#shared/process/clock.ts";
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
        // While the users of a server are being changed it may refuse us several times: that is no reason to end.
        ignoreAuthErrorAbort: true,
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
  let refused = false;
  for await (const status of nc.status()) {
    const type: string = status.type;
    const fields = { type, data: typeof status.data === "string" ? status.data : undefined };
    if (type === "error" && status.permissionContext) {
      const { operation, subject } = status.permissionContext;
      log.error({ ...fields, operation, subject }, "the bus refused an operation");
      if (operation === "publish") calls.forbidden(subject);
    } else if (type === "error") {
      // Said once: a server that refuses us is asked again several times a second.
      if (link.isUp || !refused) log.error(fields, "the bus refuses the connection");
      refused = true;
    } else if (type === "disconnect") {
      // Also said of each attempt to connect again that fails.
      if (link.isUp) log.warn(fields, "the bus is disconnected");
      link.set(false);
    } else if (type === "reconnect") {
      link.set(true);
      refused = false;
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
  await atMost(3_000, bus.nc.drain());
  await bus.nc.close();
}

/**
 * Publishes what nobody needs to hear late. While the bus is away, or is being left, nothing is kept and nothing is
 * thrown: the library would keep it without bound.
 */
export function tell(bus: Bus, subject: string, body = ""): void {
  if (bus.link.isUp && !bus.nc.isClosed() && !bus.nc.isDraining()) bus.nc.publish(subject, body);
}
