import { z } from "zod";
import { ServerFacts } from "#shared/contract/authority.ts";
import { defineContract } from "#shared/contract/define.ts";
import type { Authority } from "#shared/contract/dispatch.ts";
import { implement } from "#shared/contract/implement.ts";
import { Fault } from "#shared/fault/fault.ts";

// A small service with one route of each kind, for the tests of the mechanism itself. Its time-outs are for a busy machine.

const policy = { auth: "session", guard: "none", idempotency: "safe", timeoutMs: 5_000 } as const;
const id = z.object({ id: z.string() });

export const sample = defineContract({
  service: "sample",
  version: "1.0.0",
  operations: "smp",
  authority: { plain: "authorize", agent: "authorizeAgent", unlock: "unlock" },
  calls: [],
  consumes: [],
  routes: {
    echo: {
      subject: "rpc.sample.v1.word.echo",
      summary: "Answer with the word",
      http: {
        method: "POST",
        path: "/api/words/:id",
        success: 200,
        kind: "json",
        aliases: [
          { method: "POST", path: "/api/old/words/:id", since: "2026-01-01", reason: "older clients" },
        ],
      },
      policy: { ...policy, auth: "public", idempotency: "key" },
      request: z.object({
        id: z.string(),
        word: z.string().min(2),
        times: z.coerce.number().int().default(1),
      }),
      reply: z.object({ said: z.string() }),
      errors: {
        rude: { status: 409, title: "That word is rude", details: z.object({ word: z.string() }) },
        tired: { status: 503, title: "Not now", retryable: true },
      },
      example: { id: "a", word: "hello" },
    },
    secret: {
      subject: "rpc.sample.v1.word.secret",
      summary: "Needs an account",
      http: { method: "GET", path: "/api/secret", success: 200, kind: "json" },
      policy,
      request: z.object({}),
      reply: z.object({ actor: z.string() }),
      errors: {},
      example: {},
    },
    lock: {
      subject: "rpc.sample.v1.word.lock",
      summary: "Needs a server and its lock",
      http: { method: "POST", path: "/api/servers/:id/lock", success: 202, kind: "json" },
      policy: { ...policy, idempotency: "natural", server: "power.start" },
      request: id.extend({ fail: z.enum(["declared", "undeclared", "crash", "no"]).default("no") }),
      reply: z.object({ fence: z.int() }),
      errors: { refused: { status: 409, title: "Refused" } },
      example: { id: "1" },
    },
    file: {
      subject: "rpc.sample.v1.word.file",
      summary: "A download",
      http: { method: "GET", path: "/api/servers/:id/file", success: 200, kind: "download" },
      policy: { ...policy, server: "files.read", agent: true },
      request: id,
      reply: z.object({
        method: z.literal("GET"),
        url: z.string(),
        headers: z.record(z.string(), z.string()),
      }),
      errors: {},
      example: { id: "1" },
    },
    authorize: internal("authorize"),
    authorizeAgent: internal("authorize-agent"),
    unlock: internal("unlock"),
  },
  events: {
    said: {
      subject: "evt.sample.v1.word.said",
      summary: "A word was said",
      data: z.object({ word: z.string() }),
    },
  },
});

function internal<const V extends string>(name: V) {
  return {
    subject: `rpc.sample.v1.server.${name}` as const,
    summary: name,
    policy: { auth: "service", guard: "none", idempotency: "natural", timeoutMs: 5_000 } as const,
    request: z.object({}),
    reply: ServerFacts,
    errors: { gone: { status: 404, title: "Gone" } },
  };
}

export const facts: ServerFacts = {
  instanceId: "0190e5c0-0000-7000-8000-000000000001",
  vmid: 1,
  customerId: "acc_1",
  ctype: "game",
  name: "one",
  hostname: "one-1",
  node: "local",
};

export const sampleService = implement(sample)((deps: { fileUrl?: string; slow?: Promise<void> }) => ({
  echo: async ({ input, ctx, fail }) => {
    if (input.word === "damn") fail("rude", { details: { word: input.word } });
    if (input.word === "zzz") fail("tired", { retryAfter: 7 });
    if (input.word === "wait") await deps.slow;
    if (input.word === "crash") throw new Error("password=hunter2");
    if (input.word === "lie") return { said: 1 as unknown as string };
    ctx.replyHeader("idempotency-replayed", "true");
    return { said: `${input.id}:${input.word.repeat(input.times)}` };
  },
  secret: async ({ ctx }) => ({ actor: ctx.actor.kind === "account" ? ctx.actor.id : ctx.actor.kind }),
  lock: async ({ input, server, fail }) => {
    if (input.fail === "declared") fail("refused");
    if (input.fail === "undeclared") throw new Fault({ code: "other.thing", status: 418, title: "Not ours" });
    if (input.fail === "crash") throw new Error("boom");
    return { fence: server.lock?.fence ?? -1 };
  },
  file: async () => ({ method: "GET" as const, url: deps.fileUrl ?? "http://127.0.0.1:1/", headers: {} }),
  authorize: async () => facts,
  authorizeAgent: async () => facts,
  unlock: async () => facts,
}));

/** An authority that knows server "1" of account acc_1, and counts the locks that are held. */
export function sampleAuthority(): Authority & { held: Set<string>; asked: string[] } {
  const held = new Set<string>();
  const asked: string[] = [];
  return {
    held,
    asked,
    errors: { "sample.gone": { status: 404, title: "Gone" } },
    async authorize({ serverId, action, agent, operationId }, meta) {
      asked.push(`${action}${agent ? "+agent" : ""}`);
      const own = meta.actor.kind === "account" && meta.actor.id === facts.customerId;
      if (serverId !== "1" || !own) throw new Fault({ code: "sample.gone", status: 404, title: "Gone" });
      if (operationId) held.add(operationId);
      return {
        ...facts,
        ...(agent ? { agent: { address: "http://127.0.0.1:1", token: "t" } } : {}),
        ...(operationId ? { lock: { operationId, fence: 1 } } : {}),
      };
    },
    unlock: async ({ operationId }) => void held.delete(operationId),
  };
}
