import type { Msg } from "nats";
import type { Publisher } from "#shared/db/relay.ts";
import { coreFault } from "#shared/fault/core.ts";
import type { Bus } from "./connect.ts";
import { stream } from "./events.ts";
import { headersOf } from "./headers.ts";

type Stored = { stream?: string; seq?: number; error?: { description?: string } };

/**
 * The way of an outbox to the stream. Both calls reject with `service.unavailable` while the bus is away, at once when
 * that is known. They are plain requests: the library's own would wait for their time-out when the connection is lost,
 * and its stream manager would need rights that no service has.
 */
export function publisher(bus: Bus, timeoutMs = 5_000): Publisher {
  const ask = (subject: string, body: string, id?: string): Promise<Msg> =>
    bus.calls
      .ask(subject, body, {
        timeoutMs,
        ...(id === undefined ? {} : { headers: headersOf({ "Nats-Msg-Id": id }) }),
      })
      .catch((cause: unknown) => {
        throw coreFault("service.unavailable", {}, { cause });
      });
  return {
    async publish(subject, id, body) {
      const { stream: name, seq, error } = (await ask(subject, body, id)).json<Stored>();
      if (error || name === undefined || seq === undefined)
        throw coreFault("service.unavailable", {
          detail: `The event stream refused an event: ${error?.description ?? "no reason given"}`,
        });
      return { seq };
    },
    async streamCreated() {
      const info = (await ask(`$JS.API.STREAM.INFO.${stream}`, "")).json<{ created?: string }>();
      if (!info.created)
        throw coreFault("service.unavailable", { detail: "The event stream does not exist" });
      return info.created;
    },
  };
}
