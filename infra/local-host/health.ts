import type { Clock } from "#shared/process/clock.ts";
import { isRunning } from "#shared/process/proc.ts";
import type { AgentProcess } from "./agent-process.ts";

const pollMs = 25;
const callTimeoutMs = 1000;

/**
 * Waits until an agent answers GET /health with 200 ("ready"), has ended ("gone"), or `timeoutMs` are over
 * ("late").
 */
export async function waitHealthy(
  agent: AgentProcess,
  o: { port: number; timeoutMs: number; clock: Clock },
): Promise<"ready" | "gone" | "late"> {
  const until = o.clock.now() + o.timeoutMs;
  for (;;) {
    const healthy = await answers(o.port, Math.max(1, Math.min(callTimeoutMs, until - o.clock.now())));
    // Asked after the answer: a stranger on the port must not speak for an agent that could not bind it.
    if (!isRunning(agent.identity)) return "gone";
    if (healthy) return "ready";
    if (o.clock.now() >= until) return "late";
    await o.clock.sleep(pollMs);
  }
}

/** Without the token: this may be a stranger, who took the port. */
async function answers(port: number, timeoutMs: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/health`, {
      headers: { connection: "close" },
      redirect: "error",
      signal: AbortSignal.timeout(timeoutMs),
    });
    await response.body?.cancel();
    return response.status === 200;
  } catch {
    return false;
  }
}
