// A daemon that outlives the launcher (Postgres, NATS, the local host): it may have been started by an earlier launcher and
// be nobody's child, so it is watched through /proc and not through a handle.
import type { Clock } from "#shared/process/clock.ts";
import { isRunning, type ProcessInfo, readProcess } from "#shared/process/proc.ts";

/** How long a stop waits, at most, for the process to be gone after it released everything. */
const goneMs = 2_000;

export type Keeper<D> = {
  /** Starts or adopts the daemon and watches it from then on. Rejects when that fails. */
  start(): Promise<D>;
  /** Stops it in order, whether or not `start` succeeded. */
  stop(): Promise<void>;
};

/**
 * Keeps a daemon running: whenever it is gone it is started again on the same port, and `again` runs after each such
 * start. What fails then is told and tried again.
 */
export function keep<D extends { pid: number; port: number }>(o: {
  name: string;
  /** `port`: the one that clients know; undefined at the first start. */
  start(port: number | undefined): Promise<D>;
  stop(): Promise<void>;
  again?(daemon: D): Promise<void>;
  tell(line: string): void;
  clock: Clock;
  watchMs: number;
  backoffMs(failures: number): number;
}): Keeper<D> {
  const stopping = new AbortController();
  let watching: Promise<void> | undefined;
  let seen: ProcessInfo | undefined;

  async function watch(port: number): Promise<void> {
    for (;;) {
      await o.clock.sleep(o.watchMs, stopping.signal);
      if (stopping.signal.aborted) return;
      if (seen && isRunning(seen)) continue;
      o.tell(`${o.name} ended; it is started again`);
      await restart(port);
    }
  }

  async function restart(port: number): Promise<void> {
    for (let failures = 1; !stopping.signal.aborted; failures++) {
      try {
        const daemon = await o.start(port);
        await o.again?.(daemon);
        seen = readProcess(daemon.pid);
        return;
      } catch (error) {
        o.tell(`${o.name} does not start: ${error instanceof Error ? error.message : String(error)}`);
        await o.clock.sleep(o.backoffMs(failures), stopping.signal);
      }
    }
  }

  return {
    async start() {
      const daemon = await o.start(undefined);
      seen = readProcess(daemon.pid);
      watching = watch(daemon.port);
      return daemon;
    },
    async stop() {
      stopping.abort();
      await watching;
      await o.stop();
      // A server that has released everything may still need a moment to end; who comes next must not meet it.
      if (seen) await whenGone(seen, o.clock);
    },
  };
}

async function whenGone(process: ProcessInfo, clock: Clock): Promise<void> {
  const deadline = clock.now() + goneMs;
  while (isRunning(process) && clock.now() < deadline) await clock.sleep(10);
}
