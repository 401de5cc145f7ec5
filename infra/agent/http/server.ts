import { createHash, timingSafeEqual } from "node:crypto";
import type { Logger } from "#shared/telemetry/log.ts";
import { asRealUser } from "../guard.ts";
import type { Admission } from "../token.ts";
import { Refusal } from "./reply.ts";
import { type SocketData, sockets } from "./sockets.ts";

export type AgentServer = Bun.Server<SocketData>;
export type Call = { request: Request; url: URL; server: AgentServer };
/** `undefined` when the connection became a WebSocket. */
export type Handler = (call: Call) => Response | undefined | Promise<Response | undefined>;
/** One concern's routes: exact path, then method. */
export type Routes = Record<string, Record<string, Handler>>;

export type ServeOptions = {
  bind: string;
  port: number;
  portIsHeld: boolean;
  admission: Admission;
  routes: readonly Routes[];
  log: Logger;
};

/** Serves the routes; everything else is answered by a JSON error too. Only /health needs no token. */
export function serveHttp(options: ServeOptions): AgentServer {
  const routes: Routes = Object.assign({}, ...options.routes);
  const admitted = admissionCheck(options.admission);
  const serve = () =>
    Bun.serve<SocketData>({
      hostname: options.bind,
      port: options.port,
      reusePort: options.portIsHeld,
      idleTimeout: 60,
      // Bodies are bounded where they are read: Bun's own 413 has no JSON.
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      websocket: sockets,
      async fetch(request, server) {
        try {
          const url = new URL(request.url);
          if (url.pathname !== "/health" && !admitted(request)) {
            throw new Refusal(401, "auth.required", "A valid bearer token is needed.");
          }
          return await handlerFor(routes, request, url)({ request, url, server });
        } catch (error) {
          return failure(error, options.log);
        }
      },
      error: (error) => failure(error, options.log),
    });
  return options.portIsHeld ? asRealUser(serve) : serve();
}

function handlerFor(routes: Routes, request: Request, url: URL): Handler {
  const methods = Object.hasOwn(routes, url.pathname) ? routes[url.pathname] : undefined;
  if (!methods) throw new Refusal(404, "route.not_found", "The agent has no such route.");
  const handler = Object.hasOwn(methods, request.method) ? methods[request.method] : undefined;
  if (handler) return handler;
  throw new Refusal(405, "route.method_not_allowed", `This route allows ${Object.keys(methods).join(", ")}.`);
}

function failure(error: unknown, log: Logger): Response {
  if (error instanceof Refusal) {
    return error.response(error.status === 401 ? { "www-authenticate": "Bearer" } : {});
  }
  log.error({ err: error }, "a request failed");
  return new Refusal(500, "internal.error", "The agent failed; its log says why.").response();
}

/** Compares digests, so that neither the time nor the length of a guess tells anything about the token. */
function admissionCheck(admission: Admission): (request: Request) => boolean {
  return (request) => {
    const header = request.headers.get("authorization") ?? "";
    return timingSafeEqual(createHash("sha256").update(header).digest(), admission);
  };
}
