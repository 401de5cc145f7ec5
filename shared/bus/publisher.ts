import { StringCodec } from "nats";
import { coreFault } from "#shared/fault/core.ts";
import type { Bus } from "./connect.ts";
import { stream } from "./events.ts";

export type Publisher = {
  /** Resolves when the stream has stored the event; a repeated `id` is stored once. */
  publish(subject: string, id: string, body: string): Promise<{ seq: number }>;
  /** When the stream was created: another answer than before means that its storage was lost. */
  streamCreated(): Promise<string>;
};

const codec = StringCodec();

/** The way of an outbox to the stream. Both calls reject with `service.unavailable` while the bus is away. */
export function publisher(bus: Bus, timeoutMs = 5_000): Publisher {
  const js = bus.nc.jetstream({ timeout: timeoutMs });
  const unavailable = (cause: unknown) => {
    throw coreFault("service.unavailable", {}, { cause });
  };
  return {
    publish: (subject, id, body) => js.publish(subject, codec.encode(body), { msgID: id }).catch(unavailable),
    async streamCreated() {
      // Asked as a plain request: the stream manager would need rights that no service has.
      const reply = await bus.nc
        .request(`$JS.API.STREAM.INFO.${stream}`, undefined, { timeout: timeoutMs })
        .catch(unavailable);
      const info = reply?.json<{ created?: string }>();
      if (!info?.created)
        throw coreFault("service.unavailable", { detail: "The event stream does not exist" });
      return info.created;
    },
  };
}
