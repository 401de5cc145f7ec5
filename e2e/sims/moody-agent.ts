import { startAgent } from "#infra/agent/agent.ts";
import { readEnvironment } from "#infra/agent/environment.ts";
import { asRealUser } from "#infra/agent/guard.ts";
import { readAdmission } from "#infra/agent/token.ts";

// The real agent behind a front that can be told to answer /ready wrongly, late or not at all. Runs under Bun, in the
// place of the agent: `POST /mood {mood}` sets the mood, `GET /mood` says how often /ready was asked.

const env = readEnvironment(process.env);
const agent = startAgent({ ...env, admission: await readAdmission(Bun.stdin.stream()), port: 0 });
let mood = "well";
let asked = 0;
const never = new Promise<Response>(() => {});

const moods: Record<string, () => Response | Promise<Response>> = {
  "not ready": () => Response.json({ ready: false, reason: "starting" }),
  unavailable: () => Response.json({ error: "not now", code: "agent.busy" }, { status: 503 }),
  html: () => new Response("<html>ready: true</html>", { headers: { "content-type": "text/html" } }),
  "html that fails": () => new Response("<h1>Bad gateway</h1>", { status: 500 }),
  "a bare true": () => Response.json(true),
  "a word": () => Response.json({ ready: "true" }),
  nothing: () => new Response(null, { status: 204 }),
  silence: () => never,
};

const serve = () =>
  Bun.serve({
    port: env.port,
    hostname: env.bind,
    reusePort: env.portIsHeld ?? false,
    idleTimeout: 60,
    async fetch(request) {
      const url = new URL(request.url);
      if (url.pathname === "/mood") {
        if (request.method === "POST") ({ mood } = (await request.json()) as { mood: string });
        return Response.json({ mood, asked });
      }
      if (url.pathname === "/ready") {
        asked++;
        const answer = moods[mood];
        if (answer) return await answer();
      }
      if (mood === "all silent") return await never;
      const { method, headers } = request;
      const body = method === "GET" ? null : await request.arrayBuffer();
      return await fetch(`http://${env.bind}:${agent.port}${url.pathname}${url.search}`, {
        method,
        headers,
        body,
      });
    },
  });
const server = env.portIsHeld ? asRealUser(serve) : serve();

for (const signal of ["SIGTERM", "SIGINT"] as const)
  process.on(signal, () => {
    void agent.stop().then(async () => {
      await server.stop(true);
      process.exit(0);
    });
  });
