import type { Moment } from "./axes.ts";
import type { Deps } from "./service.ts";
import type { LockLife } from "./store.ts";

type Timed = Pick<Deps, "clock" | "config">;

/** Now, and for how long an observation counts. */
export const moment = ({ clock, config }: Timed): Moment => ({
  now: clock.now(),
  ttlMs: config.AGENT_TTL_MS,
});

/** How long an operation lock lives without a sign of life. */
export const lockLife = ({ config }: Pick<Deps, "config">): LockLife => ({
  takenMs: config.LOCK_BEGIN_MS,
  beatenMs: config.LOCK_EXPIRY_MS,
});
