import { AckPolicy, DeliverPolicy, nanos, RetentionPolicy, StorageType } from "nats";
import type { Contract } from "#shared/contract/define.ts";
import type { Bus } from "./connect.ts";
import { durableName, eventsKeptMs, stream } from "./events.ts";

/**
 * Creates the event stream and one durable consumer for each event that a service reads. Only infra's admin user
 * may do this; it is idempotent, and run again whenever the server was restarted, since its storage may be new.
 */
export async function ensureStreams(admin: Bus, registry: readonly Contract[]): Promise<void> {
  const manager = await admin.nc.jetstreamManager({ checkAPI: false });
  const config = {
    name: stream,
    subjects: ["evt.>"],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    max_age: nanos(eventsKeptMs),
    // Longer than any relay can lag behind, so that a repeated publish is recognised.
    duplicate_window: nanos(60 * 60 * 1000),
  };
  const known = await manager.streams.info(stream).then(
    () => true,
    () => false,
  );
  await (known ? manager.streams.update(stream, config) : manager.streams.add(config));
  for (const { service, consumes } of registry)
    for (const consumed of consumes)
      await manager.consumers.add(stream, {
        durable_name: durableName(service, consumed),
        filter_subject: `${eventSubject(registry, consumed)}.>`,
        ack_policy: AckPolicy.Explicit,
        deliver_policy: DeliverPolicy.All,
        // What a killed process had in its hands comes again after this; reactions are quick, and may be repeated.
        ack_wait: nanos(10_000),
        // A reaction only wakes a reconcile or stores a projection: it is tried until it works.
        max_deliver: -1,
        max_ack_pending: 256,
      });
}

/** The subject of `<service>.<event>`; throws when the registry has no such event. */
export function eventSubject(registry: readonly Contract[], consumed: string): string {
  const [service, event] = consumed.split(".") as [string, string];
  const subject = registry.find((c) => c.service === service)?.events[event]?.subject;
  if (!subject) throw new Error(`no contract declares the event ${consumed}`);
  return subject;
}
