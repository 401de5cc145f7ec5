import type { Logger } from "#shared/telemetry/log.ts";

export type Stopper = {
  /** Registers a step; the last registered is the first one to be stopped. */
  last(name: string, stop: () => unknown): void;
};

/** Who started us kills us after 20 s; what is cut before that still leaves time for the parts below it. */
const defaults = { stepMs: 12_000, totalMs: 18_000, reserveMs: 1_000 };

/**
 * Ends the process in order on SIGTERM, SIGINT or SIGHUP, and at once on an error that nobody handled: such a
 * process is in a state that nobody has thought of. A step that does not end within `stepMs` is left behind, sooner where
 * the steps after it would not have `reserveMs` each within `totalMs`.
 */
export function onStop(log: Logger, limits: Partial<typeof defaults> = {}): Stopper {
  const { stepMs, totalMs, reserveMs } = { ...defaults, ...limits };
  const steps: { name: string; stop: () => unknown }[] = [];
  let stopping = false;
  const stopAll = async (signal: string) => {
    // A terminal sends its signal to the whole group, and the launcher sends another one.
    if (stopping) return;
    stopping = true;
    log.info({ signal }, "stopping");
    const end = performance.now() + totalMs;
    for (let left = steps.length - 1; left >= 0; left--) {
      const { name, stop } = steps[left] as (typeof steps)[number];
      const mine = Math.max(reserveMs, Math.min(stepMs, end - performance.now() - left * reserveMs));
      const result = await Promise.race([
        Promise.resolve().then(stop),
        Bun.sleep(mine).then(() => "late" as const),
      ]).catch((err: unknown) => log.warn({ err, step: name }, "a part did not stop cleanly"));
      if (result === "late") log.warn({ step: name }, "a part did not stop in time");
    }
    log.info({}, "stopped");
    process.exit(0);
  };
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const)
    process.on(signal, () => void stopAll(signal));
  const die = (event: string) => (err: unknown) => {
    log.fatal({ err, event }, "an error that nobody handled; the process ends");
    process.exit(1);
  };
  process.on("uncaughtException", die("uncaughtException"));
  process.on("unhandledRejection", die("unhandledRejection"));
  // Listener leaks among them. They are defects: tests fail on this line.
  process.on("warning", (err) => log.error({ err, event: "warning" }, "the runtime warns of a defect"));
  return { last: (name, stop) => void steps.push({ name, stop }) };
}

/** Tells whoever started this process that it serves, where that opened a channel for it. */
export function ready(): void {
  process.send?.({ ready: true });
}
