import { createServer } from "node:net";
import type { Clock } from "#shared/process/clock.ts";

/**
 * Resolves when `bind:port` can be listened on. A port that is taken is tried again for `patienceMs`: after kill -9 of a
 * launcher its gateway takes a moment to end. Then rejects with a sentence for people.
 */
export async function whenFree(bind: string, port: number, patienceMs: number, clock: Clock): Promise<void> {
  const deadline = clock.now() + patienceMs;
  for (;;) {
    const problem = await tryListen(bind, port);
    if (!problem) return;
    if (problem !== "EADDRINUSE")
      throw new Error(`ZPACK_BIND=${bind} with ZPACK_PORT=${port} cannot be listened on (${problem}).`);
    if (clock.now() >= deadline)
      throw new Error(`Port ${port} of ${bind} is taken by another program. Set ZPACK_PORT to a free one.`);
    await clock.sleep(100);
  }
}

/** The error's code; undefined when it worked. */
function tryListen(bind: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? "unknown"));
    probe.listen({ host: bind, port, exclusive: true }, () => probe.close(() => resolve(undefined)));
  });
}
