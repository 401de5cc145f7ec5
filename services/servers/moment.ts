import type { Moment } from "./axes.ts";
import type { Deps } from "./service.ts";

type Timed = Pick<Deps, "clock" | "config">;

/** Now, and for how long an observation counts. */
export const moment = ({ clock, config }: Timed): Moment => ({
  now: clock.now(),
  ttlMs: config.AGENT_TTL_MS,
});

/** A lock whose last heartbeat is not after this is nobody's. */
export const lockAliveSince = ({ clock, config }: Timed): Date =>
  new Date(clock.now() - config.LOCK_EXPIRY_MS);
