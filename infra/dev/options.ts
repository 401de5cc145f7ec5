import type { ProcessSpec } from "#infra/processes.ts";
import type { Clock } from "#shared/process/clock.ts";
import type { Progress } from "./progress.ts";
import type { Secrets } from "./secrets.ts";
import type { Settings } from "./settings.ts";

/** What the launcher is made for; a test gives it a table of its own. */
export type Product = {
  processes: readonly ProcessSpec[];
  /** Users of the bus and their rights, as configuration of nats-server; `admin` may do everything. */
  authorization(password: (user: string) => string): string;
  /** Creates streams and consumers; idempotent, and repeated whenever the server was started again. */
  prepareBus(admin: { url: string; user: string; password: string }): Promise<void>;
};

export type StackOptions = Product & {
  settings: Settings;
  secrets: Secrets;
  progress: Progress;
  clock: Clock;
  timing: Timing;
};

/** Times are in milliseconds. */
export type Timing = {
  /** Pauses before a process that ended is started again; the last one repeats. */
  backoff: readonly number[];
  /** A life this long makes the next failure the first one again. */
  steady: number;
  /** How often a process that ends before it ever was ready is tried before the start is given up. */
  attempts: number;
  /** How often the daemons and our own parent are looked at. */
  watch: number;
  /** How long a start waits for the gateway's port after a launcher was killed. */
  portPatience: number;
  /** How long each part may take to stop before it is killed. */
  stop: { gateway: number; service: number; host: number; bus: number; database: number };
};

export const defaultTiming: Timing = {
  backoff: [250, 1_000, 4_000, 15_000, 30_000],
  // A crash loop is one that ends sooner; what served for a while is needed again at once.
  steady: 2_000,
  attempts: 3,
  watch: 250,
  portPatience: 3_000,
  stop: { gateway: 15_000, service: 20_000, host: 40_000, bus: 5_000, database: 15_000 },
};

export const pause = (timing: Timing) => (failures: number) =>
  timing.backoff[Math.min(failures, timing.backoff.length) - 1] ?? 0;
