// The smallest agent that the local host's tests need. A file `mode` in its root makes it misbehave.
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { asRealUser } from "#infra/agent/guard.ts";

const root = process.env["AGENT_ROOT"] ?? "";
const token = (await Bun.stdin.text()).trim();
const modeFile = join(root, "mode");
const mode = statSync(modeFile, { throwIfNoEntry: false }) ? readFileSync(modeFile, "utf8") : "";
if (mode === "ends") process.exit(3);
if (mode === "stubborn") process.on("SIGTERM", () => {});
else process.on("SIGTERM", () => process.exit(0));

const health = () => new Response(null, { status: mode === "sick" ? 503 : 200 });
const routes: Record<string, () => Response> = {
  "/health": health,
  "/self": () => {
    const users = { uid: process.geteuid?.(), real: process.getuid?.() };
    return Response.json({ pid: process.pid, ...users, cwd: process.cwd(), env: process.env, root });
  },
  "/die": () => process.kill(process.pid, "SIGKILL") && health(),
  /** From here on it shares its port with nobody, as an agent that was made before ports were held. */
  "/unshare": () => {
    void server.stop();
    server = serve(false);
    return health();
  },
  "/game": () => {
    // A game: our own executable, a session of its own, no environment of ours.
    const code = "setInterval(() => {}, 1000)";
    const game = Bun.spawn([process.execPath, "-e", code, join(root, "world")], {
      env: { BUN_BE_BUN: "1" },
      stdio: ["ignore", "ignore", "ignore"],
      detached: true,
    });
    game.unref();
    return Response.json({ pid: game.pid });
  },
};

const serve = (reusePort: boolean) =>
  Bun.serve({
    hostname: process.env["AGENT_BIND"] ?? "",
    port: Number(process.env["AGENT_PORT"]),
    reusePort,
    fetch(request) {
      const { pathname } = new URL(request.url);
      if (pathname !== "/health" && request.headers.get("authorization") !== `Bearer ${token}`)
        return new Response(null, { status: 401 });
      return routes[pathname]?.() ?? new Response(null, { status: 404 });
    },
  });
let server = asRealUser(() => serve(process.env["AGENT_PORT_HELD"] === "1"));
