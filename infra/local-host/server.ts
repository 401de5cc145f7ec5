import { createHash, timingSafeEqual } from "node:crypto";
import type { z } from "zod";
import type { Logger } from "#shared/telemetry/log.ts";
import type { Containers } from "./containers.ts";
import { HostError, hostError, invalid } from "./problem.ts";
import { CreateContainer, type HostHealth, StopContainer, UpdateContainer, Vmid } from "./schema.ts";

type Options = {
  port: number;
  token: string;
  containers: Containers;
  health(): HostHealth;
  log: Logger;
};

const maxBodyBytes = 64 * 1024;

/** Serves the host's HTTP API on 127.0.0.1. Everything but GET /health needs the bearer token. */
export function serveHost(o: Options): Bun.Server<undefined> {
  const { containers } = o;
  const expected = digest(`Bearer ${o.token}`);
  const answer =
    (run: (request: Bun.BunRequest) => Promise<Response> | Response) => async (request: Bun.BunRequest) => {
      try {
        if (!timingSafeEqual(digest(request.headers.get("authorization") ?? ""), expected))
          throw new HostError("auth.required", "the local host needs its bearer token");
        return await run(request);
      } catch (error) {
        const refusal = hostError(error);
        const fields = { method: request.method, path: new URL(request.url).pathname, code: refusal.code };
        if (refusal.status >= 500) o.log.error({ ...fields, err: refusal.cause ?? refusal }, refusal.message);
        else o.log.info(fields, refusal.message);
        return Response.json(refusal.problem(), { status: refusal.status });
      }
    };

  return Bun.serve({
    hostname: "127.0.0.1",
    port: o.port,
    // Above this Bun answers 413 itself, without a body.
    maxRequestBodySize: 16 * maxBodyBytes,
    // A stop answers when the agent is gone, which may take minutes.
    idleTimeout: 0,
    development: false,
    routes: {
      "/health": { GET: () => Response.json(o.health()) },
      "/containers": {
        GET: answer(() => Response.json({ containers: containers.list() })),
        POST: answer(async (r) =>
          Response.json(await containers.create(await body(r, CreateContainer)), { status: 201 }),
        ),
      },
      "/containers/:vmid": {
        GET: answer((r) => Response.json(containers.find(vmidOf(r)))),
        PUT: answer(async (r) =>
          Response.json(await containers.update(vmidOf(r), await body(r, UpdateContainer))),
        ),
        DELETE: answer(async (r) => {
          await containers.remove(vmidOf(r));
          return Response.json({ vmid: vmidOf(r), deleted: true });
        }),
      },
      "/containers/:vmid/start": {
        POST: answer(async (r) => Response.json(await containers.start(vmidOf(r)))),
      },
      "/containers/:vmid/stop": {
        POST: answer(async (r) =>
          Response.json(await containers.stop(vmidOf(r), await body(r, StopContainer, {}))),
        ),
      },
      "/*": answer((r) => {
        throw new HostError("route.not_found", `there is no ${r.method} ${new URL(r.url).pathname}`);
      }),
    },
  });
}

function vmidOf(request: Bun.BunRequest): number {
  const { vmid } = request.params as { vmid?: string };
  const parsed = Vmid.safeParse(/^\d+$/.test(vmid ?? "") ? Number(vmid) : undefined);
  if (!parsed.success)
    throw new HostError("request.invalid", "the vmid is not a number between 100 and 999999999");
  return parsed.data;
}

async function body<S extends z.ZodType>(
  request: Request,
  schema: S,
  fallback?: z.input<S>,
): Promise<z.infer<S>> {
  const text = await request.text();
  if (text.length > maxBodyBytes) throw new HostError("request.too_large", "the body is over 64 KiB");
  if (text === "" && fallback !== undefined) return schema.parse(fallback);
  const parsed = schema.safeParse(parseJson(text));
  if (!parsed.success) throw invalid(parsed.error);
  return parsed.data;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new HostError("request.invalid", "the body is not JSON", { issues: [], cause });
  }
}

const digest = (text: string) => createHash("sha256").update(text).digest();
