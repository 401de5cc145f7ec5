import { z } from "zod";
import { milliseconds } from "#shared/config/env.ts";

const count = (fallback: number) => z.coerce.number().int().min(1).default(fallback);

export const config = z.object({
  /** Names this installation in the ownership mark of every container; it never changes. */
  ZPACK_INSTALLATION: z.string().regex(/^[a-z0-9][a-z0-9_-]{0,63}$/),
  LOCAL_HOST_URL: z.url(),
  LOCAL_HOST_TOKEN: z.string().min(1),
  /** Bound of one quick call to the host; a start, a stop and a delete may take `PROVISIONING_HOST_SLOW_MS`. */
  PROVISIONING_HOST_TIMEOUT_MS: milliseconds(10_000),
  PROVISIONING_HOST_SLOW_MS: milliseconds(90_000),
  /** Bound of one call to a server's agent. */
  PROVISIONING_AGENT_TIMEOUT_MS: milliseconds(3_000),
  /**
   * Creations that one process works on at the same time, and as many operations on servers that are there; most of
   * them wait for somebody.
   */
  PROVISIONING_CONCURRENCY: count(32),
  /** Clones that run at the same time on one storage, whichever process makes them. */
  PROVISIONING_CLONES_PER_STORAGE: count(2),
  /** For so long, and until its work has ended, an identical create without an Idempotency-Key joins the first one. */
  PROVISIONING_JOIN_MS: milliseconds(30_000),
  /** For so long what the host said of its runtimes is believed. */
  PROVISIONING_CATALOG_MS: milliseconds(30_000),
  /** How often a waiting step looks again. */
  PROVISIONING_POLL_MS: milliseconds(150),
  /** How long a started container may take to have an address. */
  PROVISIONING_ADDRESS_MS: milliseconds(60_000),
  /** How long installing and starting a server may take. */
  PROVISIONING_READY_MS: milliseconds(300_000),
  /** How long a step that cannot reach somebody goes on trying before the creation is undone. */
  PROVISIONING_GIVE_UP_MS: milliseconds(120_000),
  /** How long an agent may take to stop when a creation is undone. */
  PROVISIONING_STOP_MS: milliseconds(20_000),
  /** How long a container may take to stop in order before it is stopped by force. */
  PROVISIONING_SHUTDOWN_MS: milliseconds(60_000),
  /** Between two heartbeats of a server's operation lock; the registry forgets it after a minute without. */
  PROVISIONING_HEARTBEAT_MS: milliseconds(10_000),
  /** Before the second try of a step; doubled each time, up to 30 s. */
  PROVISIONING_RETRY_MS: milliseconds(250),
  /** After this time without a heartbeat another worker takes a creation over. */
  PROVISIONING_LEASE_MS: milliseconds(15_000),
  /** How often the queue is looked at when no wake arrives. */
  PROVISIONING_SWEEP_MS: milliseconds(5_000),
});
export type Config = z.output<typeof config>;
