/** Agents that live, all behind one port: who is asked is told by the token. */
export type StubAgents = AsyncDisposable & {
  address: string;
  /** Requests that were answered or are kept waiting, by agent. */
  asked: Map<string, number>;
  /** From now on these agents take a request and never answer it. */
  silence(tokens: readonly string[]): void;
  /** Ends all of them at once: connections are refused. */
  stop(): Promise<void>;
};

/** Running games as a poller meets them. */
export function stubAgents(): StubAgents {
  const asked = new Map<string, number>();
  const silent = new Set<string>();
  const startedAt = new Date().toISOString();
  const answers: Record<string, unknown> = {
    "/health": { ok: true },
    "/version": { agent: "stub", version: "1.0.0", contract: 1 },
    "/ready": { ready: true, reason: "ok", latency_ms: 3, players: { online: 1, max: 20 } },
    "/status": { state: "running", container_type: "game", started_at: startedAt, meant_to_run: true },
  };
  const bodies = new Map(Object.entries(answers).map(([path, body]) => [path, JSON.stringify(body)]));
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    async fetch(request) {
      const token = request.headers.get("authorization")?.slice("Bearer ".length) ?? "";
      asked.set(token, (asked.get(token) ?? 0) + 1);
      if (silent.has(token)) return await untilGone(request);
      const body = bodies.get(new URL(request.url).pathname);
      return new Response(body ?? "{}", {
        status: body === undefined ? 404 : 200,
        headers: { "content-type": "application/json" },
      });
    },
  });
  const stop = () => server.stop(true);
  return {
    address: `http://127.0.0.1:${server.port}`,
    asked,
    silence: (tokens) => tokens.forEach((token) => silent.add(token)),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** No answer for as long as the asker waits for one. */
async function untilGone({ signal }: Request): Promise<Response> {
  if (!signal.aborted)
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  return new Response(null, { status: 503 });
}
