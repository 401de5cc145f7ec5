import { z } from "zod";

/** The body of every event. `data` is the full public state of `key` as of `version`. */
export const EventMessage = z.object({
  id: z.string(),
  key: z.string(),
  version: z.int(),
  at: z.iso.datetime(),
  data: z.unknown(),
});
export type EventMessage<D = unknown> = z.infer<typeof EventMessage> & { data: D };

/** The stream of all events; rebuilt from the outboxes when its storage is lost. */
export const stream = "EVT";

/** How long the stream keeps an event, and an outbox what it has published: milliseconds. */
export const eventsKeptMs = 3 * 24 * 60 * 60 * 1000;

/** Name of the durable consumer through which `service` reads `<owner>.<event>`. */
export function durableName(service: string, consumed: string): string {
  return `${service}-${consumed.replace(".", "-")}`;
}
