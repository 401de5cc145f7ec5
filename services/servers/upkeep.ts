import type { Deps } from "./service.ts";
import { purgeOperations } from "./store.ts";

const everyMs = 60 * 60_000;

/** Deletes, now and then, operations that ended so long ago that nobody asks for them any more. */
export function startUpkeep({ db, clock, log, config }: Pick<Deps, "db" | "clock" | "log" | "config">) {
  const stopping = new AbortController();
  const { signal } = stopping;
  const run = async () => {
    while (!signal.aborted) {
      try {
        await purgeOperations(db, config.OPERATION_KEPT_MS);
      } catch (err) {
        log.warn({ err }, "old operations were not deleted");
      }
      await clock.sleep(everyMs, signal);
    }
  };
  const done = run();
  return {
    stop() {
      stopping.abort();
      return done;
    },
  };
}
