// The smallest agent that the local host's tests need. A file `mode` in its root makes it misbehave.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const root = process.env["AGENT_ROOT"] ?? "";
const modeFile = join(root, "mode");
const mode = existsSync(modeFile) ? readFileSync(modeFile, "utf8") : "";
if (mode === "ends") process.exit(3);
if (mode === "stubborn") process.on("SIGTERM", () => {});
else process.on("SIGTERM", () => process.exit(0));

const health = () => new Response(null, { status: mode === "sick" ? 503 : 200 });
const routes: Record<string, () => Response> = {
  "/health": health,
  "/self": () => Response.json({ pid: process.pid, uid: process.getuid?.(), env: process.env, root }),
  "/die": () => process.kill(process.pid, "SIGKILL") && health(),
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

Bun.serve({
  hostname: process.env["AGENT_BIND"] ?? "",
  port: Number(process.env["AGENT_PORT"]),
  fetch(request) {
    if (request.headers.get("authorization") !== `Bearer ${process.env["AGENT_TOKEN"]}`)
      return new Response(null, { status: 401 });
    return routes[new URL(request.url).pathname]?.() ?? new Response(null, { status: 404 });
  },
});
