import type { Msg } from "nats";
import { type CallMeta, dispatch, type Hooks } from "#shared/contract/dispatch.ts";
import type { Service } from "#shared/contract/implement.ts";
import { coreFault } from "#shared/fault/core.ts";
import { Fault } from "#shared/fault/fault.ts";
import { atMost } from "#shared/process/clock.ts";
import type { Bus } from "./connect.ts";
import { Standstill } from "./standstill.ts";
import { decodeMeta, errorHeader, errorStatusHeader, headersOf, replyHeaderPrefix } from "./headers.ts";

export type Served = {
  /** Takes no new call, and resolves when those in flight are answered, or after 5 s. */
  stop(): Promise<void>;
};

type Meta = Omit<CallMeta, "signal">;

/** Puts every route of a service on its subject, in a queue group named after the service. */
export async function serve(bus: Bus, service: Service, hooks: Hooks): Promise<Served> {
  const { contract } = service;
  const endpoints = await bus.nc.services.add({
    name: contract.service,
    version: contract.version,
    queue: contract.service,
  });
  const standstill = new Standstill(bus.nc);
  const running = new Set<Promise<void>>();
  for (const [name, route] of Object.entries(contract.routes)) {
    endpoints.addEndpoint(name, {
      subject: route.subject,
      handler: (err, msg) => {
        if (err) return hooks.log.error({ err, route: name }, "an endpoint failed");
        const meta = decodeMeta(msg.headers, route.policy.timeoutMs, Date.now() - standstill.age());
        const call = answer(msg, service, name, meta, hooks).finally(() => running.delete(call));
        running.add(call);
      },
    });
  }
  // Resolved means served: without this round trip a first call may find nobody.
  await bus.nc.flush();
  return {
    async stop() {
      standstill.end();
      const answered = async () => {
        await endpoints.stop();
        await Promise.allSettled(running);
      };
      await atMost(5_000, answered());
    },
  };
}

async function answer(msg: Msg, service: Service, name: string, meta: Meta, hooks: Hooks): Promise<void> {
  // The right to answer covers whatever reply subject the caller wrote: anything but an inbox could be another
  // service's subject.
  if (!msg.reply?.startsWith("_INBOX."))
    return hooks.log.warn({ route: name }, "a call without an inbox was ignored");
  const leftMs = meta.deadline - Date.now();
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), Math.max(0, leftMs));
  // Its caller has given up: nothing is begun.
  if (leftMs <= 0) abort.abort();
  try {
    await perform(msg, service, name, { ...meta, signal: abort.signal }, hooks);
  } catch (err) {
    // A caller that hears nothing waits for its time-out, and an error that left here would end the process.
    hooks.log.error({ err, route: name }, "an answer cannot be sent");
    refuse(msg, coreFault("internal.error"), meta.requestId);
  } finally {
    clearTimeout(timer);
  }
}

/** Rejects when what there is to say, reply or refusal, cannot be put into a message. */
async function perform(
  msg: Msg,
  service: Service,
  name: string,
  meta: CallMeta,
  hooks: Hooks,
): Promise<void> {
  try {
    const { reply, headers: replyHeaders } = await dispatch(service, name, body(msg), meta, hooks);
    const written = Object.entries(replyHeaders).map(([key, value]) => [replyHeaderPrefix + key, value]);
    const more = written.length > 0 ? { headers: headersOf(Object.fromEntries(written)) } : undefined;
    msg.respond(JSON.stringify(reply), more);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    refuse(msg, error, meta.requestId);
  }
}

function body(msg: Msg): unknown {
  if (msg.data.length === 0) return {};
  try {
    return msg.json();
  } catch (cause) {
    throw coreFault("request.invalid", { detail: "The body is not valid JSON" }, { cause });
  }
}

function refuse(msg: Msg, fault: Fault, requestId: string): void {
  const headers = headersOf({
    [errorStatusHeader]: String(fault.status),
    [errorHeader]: fault.code,
    "Content-Type": "application/problem+json",
    [`${replyHeaderPrefix}retry-after`]:
      fault.retryAfter === undefined ? undefined : String(fault.retryAfter),
  });
  msg.respond(JSON.stringify(fault.problem(requestId)), { headers });
}
