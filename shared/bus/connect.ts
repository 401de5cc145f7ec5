import { connect, type NatsConnection } from "nats";
import { coreFault } from "#shared/fault/core.ts";
import type { Logger } from "#shared/telemetry/log.ts";

/** A connection to the bus under one service's own user. */
export type Bus = { readonly name: string; readonly nc: NatsConnection; readonly log: Logger };

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
}): Promise<Bus> {
  const deadline = Date.now() + (o.waitMs ?? 15_000);
  for (;;) {
    try {
      const nc = await connect({
        servers: o.url,
        name: o.name,
        user: o.user,
        pass: o.password,
        // Each user may subscribe below its own prefix only: nobody reads another's replies.
        inboxPrefix: `_INBOX.${o.name}`,
        maxReconnectAttempts: -1,
        reconnectTimeWait: 250,
        reconnectJitter: 100,
        timeout: 5_000,
        pingInterval: 10_000,
      });
      void watch(nc, o.log);
      return { name: o.name, nc, log: o.log };
    } catch (cause) {
      if (Date.now() > deadline) throw coreFault("service.unavailable", {}, { cause });
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/** A forbidden publish does not throw: the status stream is the only place that tells, so it is logged as a fault. */
async function watch(nc: NatsConnection, log: Logger): Promise<void> {
  for await (const status of nc.status()) {
    const type: string = status.type;
    const fields = { type, data: typeof status.data === "string" ? status.data : undefined };
    if (type === "error") log.error(fields, "the bus refused an operation");
    else if (type === "disconnect") log.warn(fields, "the bus is disconnected");
    else if (type === "reconnect") log.info(fields, "the bus is connected again");
  }
}

/** Finishes what is in flight, then closes. Safe to call twice, and while the server is away. */
export async function closeBus(bus: Bus): Promise<void> {
  if (bus.nc.isClosed()) return;
  const drained = bus.nc.drain().catch(() => bus.nc.close());
  let timer: ReturnType<typeof setTimeout> | undefined;
  const bounded = new Promise<void>((resolve) => (timer = setTimeout(resolve, 3_000)));
  await Promise.race([drained, bounded]);
  clearTimeout(timer);
  await bus.nc.close();
}
