import type { gatewayApp } from "./app.ts";

/** Opens the gateway's port; `stop` takes no new connection and waits for the answers that are under way. */
export function listen(
  app: ReturnType<typeof gatewayApp>,
  o: { ZPACK_BIND: string; ZPACK_PORT: number },
): { stop(): Promise<void> } {
  app.listen({
    hostname: o.ZPACK_BIND,
    port: o.ZPACK_PORT,
    // Bodies are bounded where they are read: a JSON body by the pipeline, an upload by the agent.
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    idleTimeout: 60,
  });
  return {
    async stop() {
      const graceful = app.server?.stop() ?? Promise.resolve();
      let timer: ReturnType<typeof setTimeout> | undefined;
      const bounded = new Promise<void>((resolve) => (timer = setTimeout(resolve, 3_000)));
      await Promise.race([graceful, bounded]);
      clearTimeout(timer);
      await app.server?.stop(true);
    },
  };
}
