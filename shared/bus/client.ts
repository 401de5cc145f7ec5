import { ErrorCode, NatsError, type Msg } from "nats";
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

/**
 * One request over the bus, never retried here: who asked knows whether asking again is safe. Rejects with the
 * callee's Fault, or `service.unavailable` (nobody serves it, or the bus is away) or `service.timeout`.
 */
export async function request(bus: Bus, route: Route, input: unknown, meta: Meta = {}): Promise<Answer> {
  const left = meta.deadline === undefined ? Number.POSITIVE_INFINITY : meta.deadline - Date.now() - returnMs;
  const timeout = Math.floor(Math.min(route.policy.timeoutMs, left));
  if (timeout <= 0) throw coreFault("service.timeout");
  const headers = encodeMeta(meta, serviceActor(bus.name), timeout);
  let msg: Msg;
  try {
    msg = await bus.nc.request(route.subject, JSON.stringify(input ?? {}), {
      timeout: timeout + returnMs,
      headers,
    });
  } catch (cause) {
    throw transportFault(cause);
  }
  if (msg.headers?.has(errorStatusHeader)) throw readFault(msg);
  const replyHeaders: Answer["headers"] = {};
  for (const key of msg.headers?.keys() ?? [])
    if (key.startsWith(replyHeaderPrefix))
      replyHeaders[key.slice(replyHeaderPrefix.length) as ReplyHeader] = msg.headers?.get(key) ?? "";
  return { reply: msg.json(), headers: replyHeaders };
}

function readFault(msg: Msg): Fault {
  const parsed = Problem.safeParse(msg.json());
  if (!parsed.success) return coreFault("internal.error", {}, { cause: parsed.error });
  const after = Number(msg.headers?.get(`${replyHeaderPrefix}retry-after`) || Number.NaN);
  return Fault.fromProblem(parsed.data, Number.isFinite(after) ? after : undefined);
}

function transportFault(cause: unknown): Fault {
  const code = cause instanceof NatsError ? cause.code : "";
  if (code === ErrorCode.Timeout) return coreFault("service.timeout", {}, { cause });
  // A call that this user has no right to make is a fault of ours, and asking again will not mend it.
  if (code === ErrorCode.PermissionsViolation) return coreFault("internal.error", {}, { cause });
  return coreFault("service.unavailable", {}, { cause });
}
