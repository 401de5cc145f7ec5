import { type HostDeps, launch, type Machine, terminate } from "./machine.ts";

/**
 * Keeps an agent running as a container's init would: when it ends by itself, it is started again after a wait
 * that grows to a bound. Runs until `machine.watch` is aborted; resolves then and never rejects.
 */
export function watch(d: HostDeps, machine: Machine): void {
  const control = new AbortController();
  machine.watch?.abort();
  machine.watch = control;
  void keepRunning(d, machine, control.signal);
}

async function keepRunning(d: HostDeps, machine: Machine, signal: AbortSignal): Promise<void> {
  const { vmid } = machine.record;
  let failures = 0;
  const pause = () => d.clock.sleep(d.restartMs[Math.min(failures++, d.restartMs.length - 1)] ?? 0, signal);
  const locked = (fn: () => Promise<unknown>) =>
    d.lock(vmid, async () => {
      if (signal.aborted) return;
      await fn().catch((error: unknown) =>
        d.log.error({ vmid, err: error }, "the agent could not be restarted"),
      );
    });

  while (!signal.aborted) {
    const { agent } = machine;
    if (!agent) {
      await locked(() => launch(d, machine));
      if (!machine.agent) await pause();
      continue;
    }
    await agent.gone(signal);
    if (signal.aborted) return;
    d.log.warn({ vmid, pid: agent.identity.pid, failures }, "the agent ended by itself");
    if (d.clock.now() - agent.since >= d.restartResetMs) failures = 0;
    // What it ran ends with it: a game must not hold the ports and the world of the next agent.
    await locked(() => terminate(d, machine, 0));
    await pause();
  }
}
