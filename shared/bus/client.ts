import type { Msg, MsgHdrs } from "nats";
import type { z } from "zod";
import { serviceActor } from "#shared/contract/actor.ts";
import type { Contract, Events, Route, Routes } from "#shared/contract/define.ts";
import type { Answer } from "#shared/contract/dispatch.ts";
import type { ReplyHeader } from "#shared/contract/implement.ts";
import { coreFault } from "#shared/fault/core.ts";
import { Fault, Problem } from "#shared/fault/fault.ts";
import type { Bus } from "./connect.ts";
import { encodeMeta, errorStatusHeader, type Meta, replyHeaderPrefix } from "./headers.ts";

export type Client<R extends Routes> = {
  [K in keyof R]: (input: z.input<R[K]["request"]>, meta?: Meta) => Promise<z.output<R[K]["reply"]>>;
};

/** A typed client of another service. Pass the `ctx` of the verb as `meta`: actor, trace and deadline go along. */
export function client<R extends Routes, E extends Events>(bus: Bus, contract: Contract<R, E>): Client<R> {
  const entries = Object.entries(contract.routes).map(([name, route]) => [
    name,
    async (input: unknown, meta?: Meta) => route.reply.parse((await request(bus, route, input, meta)).reply),
  ]);
  return Object.fromEntries(entries) as Client<R>;
}

// Room for the answer "too late" to travel back before the caller gives up by itself.
const returnMs = 25;

/** A reply as it came, for whoever passes it on without looking into it. */
export type RawAnswer = { body: Uint8Array<ArrayBuffer>; headers: Answer["headers"] };

/** As {@link requestRaw}, with the reply read. */
export async function request(bus: Bus, route: Route, input: unknown, meta?: Meta): Promise<Answer> {
  const { body, headers } = await requestRaw(bus, route, input, meta);
  return { reply: JSON.parse(decoder.decode(body)), headers };
}

const decoder = new TextDecoder();

/**
 * One request over the bus, never retried here: who asked knows whether asking again is safe. Rejects with the
 * callee's Fault, or `service.unavailable` (nobody serves it, or the bus is away) or `service.timeout`.
 */
export async function requestRaw(
  bus: Bus,
  route: Route,
  input: unknown,
  meta: Meta = {},
): Promise<RawAnswer> {
  const left = meta.deadline === undefined ? Number.POSITIVE_INFINITY : meta.deadline - Date.now() - returnMs;
  const timeout = Math.floor(Math.min(route.policy.timeoutMs, left));
  if (timeout <= 0) throw coreFault("service.timeout");
  const headers = encodeMeta(meta, serviceActor(bus.name), timeout);
  const msg = await bus.calls.ask(route.subject, JSON.stringify(input ?? {}), {
    timeoutMs: timeout + returnMs,
    headers,
  });
  // A plain success has no headers at all.
  const found = msg.headers;
  // Received bytes are never shared with another thread.
  const body = msg.data as Uint8Array<ArrayBuffer>;
  if (!found) return { body, headers: {} };
  if (found.has(errorStatusHeader)) throw readFault(msg, found);
  const replyHeaders: Answer["headers"] = {};
  for (const key of found.keys())
    if (key.startsWith(replyHeaderPrefix))
      replyHeaders[key.slice(replyHeaderPrefix.length) as ReplyHeader] = found.get(key);
  return { body, headers: replyHeaders };
}

function readFault(msg: Msg, found: MsgHdrs): Fault {
  const parsed = Problem.safeParse(msg.json());
  if (!parsed.success) return coreFault("internal.error", {}, { cause: parsed.error });
  const after = Number(found.get(`${replyHeaderPrefix}retry-after`) || Number.NaN);
  return Fault.fromProblem(parsed.data, Number.isFinite(after) ? after : undefined);
}
