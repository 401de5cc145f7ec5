import { z } from "zod";
import { serve } from "#shared/bus/serve.ts";
import { type Contract, defineContract } from "#shared/contract/define.ts";
import { checkActor } from "#shared/contract/dispatch.ts";
import { implement } from "#shared/contract/implement.ts";
import { systemClock } from "#shared/process/clock.ts";
import { silentLogger, wrap } from "#shared/telemetry/log.ts";
import { manualClock } from "#shared/testing/clock.ts";
import { meshForTest } from "#shared/testing/mesh.ts";
import { account } from "#shared/testing/call.ts";
import { sample, sampleAuthority, sampleService } from "#shared/testing/sample.ts";
import { gatewayApp } from "../app.ts";
import { gatewayEdges } from "../edges/index.ts";
import type { Edge } from "../edges/edge.ts";
import type { Stage } from "../exchange.ts";
import type { Rate } from "../pipeline/buckets.ts";
import { call } from "../pipeline/call.ts";
import { parseCidrs } from "../pipeline/cidr.ts";
import { guardIp } from "../pipeline/guard-ip.ts";
import { hostRules } from "../pipeline/host.ts";
import { checkInput, readInput } from "../pipeline/input.ts";
import { limited, type Limits } from "../pipeline/limit.ts";
import { guardOrigin, originRules, parseOrigins } from "../pipeline/origin.ts";
import { respond } from "../pipeline/respond.ts";

/** Routes of a gateway's own, one for each kind that the sample service has not. */
export const front = defineContract({
  service: "gateway",
  version: "1.0.0",
  edge: true,
  calls: [],
  consumes: [],
  events: {},
  routes: {
    callback: {
      subject: "rpc.gateway.v1.machine.callback",
      summary: "For other machines",
      http: { method: "POST", path: "/internal/callback", success: 200, kind: "json" },
      policy: { auth: "internal", guard: "internal", idempotency: "natural", timeoutMs: 500 },
      request: z.object({}),
      reply: z.object({ address: z.string() }),
      errors: {},
      example: {},
    },
    admin: {
      subject: "rpc.gateway.v1.admin.look",
      summary: "For operators",
      http: { method: "GET", path: "/admin", success: 200, kind: "json" },
      policy: { auth: "operator", guard: "operator", idempotency: "safe", timeoutMs: 500 },
      request: z.object({}),
      reply: z.object({ address: z.string() }),
      errors: {},
      example: {},
    },
    signIn: {
      subject: "rpc.gateway.v1.session.sign-in",
      summary: "Has a cookie and a limit",
      http: { method: "POST", path: "/api/sign-in", success: 200, kind: "json", cookie: "refresh" },
      policy: { auth: "public", guard: "none", limit: "login", idempotency: "natural", timeoutMs: 500 },
      request: z.object({ identifier: z.string(), password: z.string().default("") }),
      reply: z.object({ cookie: z.string().nullable() }),
      errors: {
        wrong: { status: 401, title: "Wrong" },
        refresh_reused: { status: 401, title: "Used before" },
      },
      example: { identifier: "ada" },
    },
  },
});

const frontService = implement(front)(() => ({
  callback: async ({ ctx }) => ({ address: ctx.address ?? "" }),
  admin: async ({ ctx }) => ({ address: ctx.address ?? "" }),
  signIn: async ({ input, ctx, fail }) => {
    if (input.password === "wrong") fail("wrong");
    if (input.password === "reused") fail("refresh_reused");
    ctx.replyHeader("set-cookie", "zpack_refresh=next");
    return { cookie: ctx.cookie ?? null };
  },
}));

const many = { count: 1_000_000, perMs: 1_000 };
/** How long a gateway for tests waits for a body. */
export const bodyMs = 30_000;

const unlimited: Limits = Object.fromEntries(
  ["register", "login", "recover", "refresh"].map((name) => [name, { perAddress: many }]),
) as Limits;

/** Who sends a request is the name that its Authorization header says; `op` is an operator. */
const identified: Stage = (x) => {
  const who = x.request.headers.get("authorization");
  if (who) x.actor = account(who, who === "op" ? "operator" : "customer");
  checkActor(x.route.policy, x.actor);
};

export type FrontOptions = {
  publicUrl?: string;
  origins?: string[];
  trustedProxies?: string[];
  internal?: string[];
  limits?: Limits;
  changes?: Rate;
  edges?: readonly Edge[];
};

/**
 * A whole gateway on a port of its own, over a real bus and the sample service. Accounts alone are pretended. `lines`
 * are what it logged; its limits go by `clock`, which stands still.
 */
export async function gatewayForTest(o: FrontOptions = {}) {
  const none: Contract = { ...front, routes: {} };
  const mesh = await meshForTest([sample, none]);
  const file = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("bytes of a file") });
  const served = await serve(
    await mesh.bus("sample"),
    sampleService({ fileUrl: `http://127.0.0.1:${file.port}/` }),
    { log: silentLogger, authority: sampleAuthority(), newOperationId: () => "smp_1" },
  );
  const bus = await mesh.bus("gateway");
  const clock = manualClock();
  const lines: Record<string, unknown>[] = [];
  const log = wrap((level, fields) => lines.push({ level, ...fields }), {});
  const publicUrl = o.publicUrl ?? "http://localhost";
  const origins = originRules({ listed: parseOrigins(o.origins ?? []), publicUrl });
  const addresses = {
    trustedProxies: parseCidrs(o.trustedProxies ?? []),
    internal: parseCidrs(o.internal ?? []),
    operator: parseCidrs([]),
  };
  const app = gatewayApp({
    registry: [sample, front],
    edges: [
      ...gatewayEdges({ bus, services: ["sample", "missing"], version: "1.2.3", clock: systemClock }),
      ...(o.edges ?? []),
    ],
    pipeline: [
      guardIp(addresses),
      guardOrigin(origins),
      identified,
      readInput({ bodyMs, clock }),
      limited(o.limits ?? unlimited, { changes: o.changes ?? many, maxKeys: 1_000, clock }),
      checkInput(front.service),
      call(bus, frontService({})),
      respond({ firstByteMs: 1_000, stallMs: 1_000 }),
    ],
    hosts: hostRules({ allowed: [], publicUrl }),
    addresses,
    origins,
    publicUrl,
    preflightSeconds: 600,
    version: "1.2.3",
    log,
  });
  app.listen({ port: 0, hostname: "127.0.0.1", maxRequestBodySize: Number.MAX_SAFE_INTEGER });
  const port = app.server?.port ?? 0;
  return {
    app,
    port,
    clock,
    lines,
    /** An answer to a client that writes no header but these; a body that is no text goes as JSON. */
    send: async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
      const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
        method,
        redirect: "manual",
        headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
        ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      });
      // Read to its end, so that no test that looks at the head alone leaves a connection half used.
      const bytes = answer.body && (await answer.arrayBuffer());
      return new Response(bytes, { status: answer.status, headers: answer.headers });
    },
    [Symbol.asyncDispose]: async () => {
      await app.server?.stop(true);
      await file.stop(true);
      await served.stop();
      await mesh[Symbol.asyncDispose]();
    },
  };
}

export type GatewayForTest = Awaited<ReturnType<typeof gatewayForTest>>;

/** The error document of an answer. */
export const problem = async (response: Response) => (await response.json()) as Record<string, unknown>;
