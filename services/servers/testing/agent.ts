import type { AgentState, AgentStatus } from "#shared/agent/contract.ts";
import type { AgentAccess } from "#shared/contract/authority.ts";

export type StubAgent = AsyncDisposable & {
  access: AgentAccess;
  /** What it says of itself; tests change it as they like. */
  says: { state: AgentState; ready: boolean; startedAt: string | null; status: Partial<AgentStatus> };
  /** The state that a start leads to. */
  startsInto: AgentState;
  /** How often each path was asked. */
  calls: Map<string, number>;
  /** Answers a path in another way from now on; undefined: as before. */
  answer(path: string, how: ((request: Request) => Response | Promise<Response>) | undefined): void;
  /** Ends it at once: connections to it are refused. */
  kill(): Promise<void>;
};

/** An agent of a game as the poller and the power routes meet it: real HTTP, and a state that the test decides. */
export function stubAgent(): StubAgent {
  const token = crypto.randomUUID();
  const calls = new Map<string, number>();
  const others = new Map<string, (request: Request) => Response | Promise<Response>>();
  let starts = 0;
  const begin = () => {
    agent.says.state = agent.startsInto;
    agent.says.ready = agent.startsInto === "running";
    agent.says.startedAt = new Date(Date.UTC(2030, 0, 1) + ++starts * 1000).toISOString();
  };
  const routes: Record<string, () => Response> = {
    "/health": () => Response.json({ ok: true }),
    "/version": () => Response.json({ agent: "stub", version: "1.2.3" }),
    "/ready": () => {
      const { ready, state } = agent.says;
      return Response.json({ ready, reason: ready ? "ok" : state, players: { online: 2, max: 20 } });
    },
    "/status": () =>
      Response.json({ state: agent.says.state, started_at: agent.says.startedAt, ...agent.says.status }),
    "/start": () => {
      if (agent.says.state === "running") return Response.json({ ok: true, state: "running" });
      begin();
      return Response.json({ ok: true, state: "starting" }, { status: 202 });
    },
    "/stop": () => {
      if (agent.says.state === "idle") return Response.json({ ok: true, state: "idle" });
      Object.assign(agent.says, { state: "idle", ready: false, startedAt: null });
      return Response.json({ ok: true, state: "stopping" }, { status: 202 });
    },
    "/restart": () => {
      begin();
      return Response.json({ ok: true, state: "stopping" }, { status: 202 });
    },
  };
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    fetch: async (request) => {
      const path = new URL(request.url).pathname;
      calls.set(path, (calls.get(path) ?? 0) + 1);
      const other = others.get(path);
      if (other) return other(request);
      if (path !== "/health" && request.headers.get("authorization") !== `Bearer ${token}`)
        return Response.json({ error: "Wrong token", code: "auth" }, { status: 401 });
      return routes[path]?.() ?? Response.json({ error: "No such route", code: "route" }, { status: 404 });
    },
  });
  const kill = () => server.stop(true);
  const agent: StubAgent = {
    access: { address: `http://127.0.0.1:${server.port}`, token },
    says: {
      state: "running",
      ready: true,
      startedAt: new Date(Date.UTC(2030, 0, 1)).toISOString(),
      status: {},
    },
    startsInto: "running",
    calls,
    answer: (path, how) => void (how ? others.set(path, how) : others.delete(path)),
    kill,
    [Symbol.asyncDispose]: kill,
  };
  return agent;
}

/** An address at which nobody answers, and a token for it. */
export const nobody: AgentAccess = { address: "http://127.0.0.1:9", token: "nobody" };
