import { Container, CreateContainer, StopContainer, UpdateContainer } from "#infra/local-host/contract.ts";
import { agentAnswer, type AgentBehaviour, agentHealth, restarted, type StandInAgent } from "./agent.ts";
import { troubles } from "../../testing/trouble.ts";

type Kept = Omit<Container, "createdAt"> & { token: string; agent: StandInAgent };

/**
 * The local host's HTTP API over containers in memory, with its rules; it answers for their agents too, each known by
 * its token. `behaviour` says how the agents of containers that start from now on behave.
 */
export function hostForTest(token = "the-token-of-the-test-host") {
  const containers = new Map<number, Kept>();
  const trouble = troubles();
  const log: string[] = [];
  const stops: StopContainer[] = [];
  const behaviour: AgentBehaviour = { installPolls: 1 };
  const runtimes = [
    { id: "bun", name: "Bun", version: "1.4.5" },
    { id: "node", name: "Node.js", version: "24.3.0" },
  ];

  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    async fetch(request): Promise<Response> {
      const path = new URL(request.url).pathname;
      const bearer = request.headers.get("authorization")?.slice("Bearer ".length);
      const agents = [...containers.values()].filter((c) => c.status === "running");
      const container = agents.find((c) => c.token === bearer);
      const body: unknown = request.body ? await request.json().catch(() => undefined) : undefined;
      const name = `${request.method} ${path.replace(/\d+/, ":vmid")}`;
      log.push(name);
      const vmid =
        /\d+/.exec(path)?.[0] ?? container?.vmid ?? CreateContainer.safeParse(body).data?.vmid ?? "";
      const { mishap, met } = await trouble.meet(name, vmid);
      if (mishap === "fails") return told(met, problem(500, "internal.error"));
      if (mishap === "denied") return told(met, problem(401, "auth.required"));
      if (mishap === "forbidden") return told(met, problem(403, "request.invalid"));
      if (mishap === "away") return told(met, problem(503, "host.stopping"));
      if (mishap === "ended") return told(met, problem(502, "agent.ended"));
      if (mishap === "lost before") return told(met, new Response("?"));
      const answer = container
        ? agentAnswer(container.agent, behaviour, name, body)
        : bearer === token
          ? hostAnswer(name, Number(vmid), body)
          : name === "GET /health"
            ? agentHealth(behaviour)
            : problem(401, "auth.required");
      met();
      if (mishap === "held" || mishap === "stuck") await trouble.held;
      return mishap === "lost after" ? new Response("?") : answer;
    },
  });

  function hostAnswer(name: string, vmid: number, body: unknown): Response {
    if (name === "GET /health")
      return Response.json({ status: "ok", node: "local", packages: "ready", runtimes });
    if (name === "GET /containers") return Response.json({ containers: [...containers.values()].map(shown) });
    if (name === "POST /containers") return create(body);
    const found = containers.get(vmid);
    if (name === "DELETE /containers/:vmid") return remove(vmid, found);
    if (!found) return problem(404, "container.not_found");
    if (name === "PUT /containers/:vmid") update(found, body);
    if (name === "POST /containers/:vmid/start") {
      if (found.status === "stopped") found.agent = restarted(found.agent);
      found.status = "running";
    }
    if (name === "POST /containers/:vmid/stop") {
      found.status = "stopped";
      stops.push(StopContainer.parse(body));
    }
    return Response.json(shown(found));
  }

  function create(body: unknown): Response {
    const wanted = CreateContainer.parse(body);
    if (containers.has(wanted.vmid)) return problem(409, "container.exists");
    return Response.json(shown(put(wanted)), { status: 201 });
  }

  function put(wanted: { vmid: number; hostname: string; description: string; memoryMiB: number }): Kept {
    const made: Kept = {
      ...wanted,
      tags: [],
      status: "stopped",
      node: "local",
      ip: "127.0.0.1",
      agentPort: server.port ?? 1,
      gamePort: 20_000 + (wanted.vmid % 1_000),
      idePort: 30_000 + (wanted.vmid % 1_000),
      token: "",
      agent: { state: "idle", configs: [], polls: 0 },
    };
    containers.set(wanted.vmid, made);
    return made;
  }

  function update(found: Kept, body: unknown): void {
    const { agentToken, tags, description, memoryMiB } = UpdateContainer.parse(body);
    if (agentToken !== undefined) found.token = agentToken;
    if (tags) found.tags = tags;
    if (description !== undefined) found.description = description;
    if (memoryMiB !== undefined) found.memoryMiB = memoryMiB;
  }

  function remove(vmid: number, found: Kept | undefined): Response {
    if (!found) return problem(404, "container.not_found");
    if (found.status === "running") return problem(409, "container.running");
    containers.delete(vmid);
    return Response.json({ vmid, deleted: true });
  }

  return {
    url: `http://127.0.0.1:${server.port}`,
    token,
    containers,
    trouble,
    behaviour,
    /** Every request so far, as `METHOD /path` with `:vmid`. */
    log,
    /** What every stop was asked with. */
    stops,
    /** A container that somebody else has made. */
    putForeign: (vmid: number) =>
      put({ vmid, hostname: "theirs", description: "do not touch", memoryMiB: 512 }),
    stop() {
      trouble.letGo();
      return server.stop(true);
    },
  };
}
export type TestHost = ReturnType<typeof hostForTest>;

// The schema drops what the host would not tell: token and agent.
const shown = (kept: Kept) => Container.parse({ ...kept, createdAt: "2030-01-01T00:00:00.000Z" });

function told(met: () => void, response: Response): Response {
  met();
  return response;
}

const problem = (status: number, code: string) =>
  Response.json({ code, error: `the host says ${code}` }, { status });
