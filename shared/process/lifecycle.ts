import type { Logger } from "#shared/telemetry/log.ts";

export type Stopper = {
  /** Registers a step; the last registered is the first one to be stopped. */
  last(name: string, stop: () => unknown): void;
};

/**
 * Ends the process in order on SIGTERM, SIGINT or SIGHUP, and at once on an error that nobody handled: such a
 * process is in a state that nobody has thought of. A step that does not end within `stepMs` is left behind.
 */
export function onStop(log: Logger, stepMs = 6_000): Stopper {
  const steps: { name: string; stop: () => unknown }[] = [];
  let stopping = false;
  const stopAll = async (signal: string) => {
    // A terminal sends its signal to the whole group, and the launcher sends another one.
    if (stopping) return;
    stopping = true;
    log.info({ signal }, "stopping");
    for (const { name, stop } of steps.toReversed()) {
      const bounded = Bun.sleep(stepMs).then(() => "late" as const);
      const result = await Promise.race([Promise.resolve().then(stop), bounded]).catch((err: unknown) => {
        log.warn({ err, step: name }, "a part did not stop cleanly");
      });
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
