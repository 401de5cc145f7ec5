import type { Msg } from "nats";
import { dispatch, type Hooks } from "#shared/contract/dispatch.ts";
import type { Route } from "#shared/contract/define.ts";
import type { Service } from "#shared/contract/implement.ts";
import { coreFault } from "#shared/fault/core.ts";
import { Fault } from "#shared/fault/fault.ts";
import type { Bus } from "./connect.ts";
import { decodeMeta, errorHeader, errorStatusHeader, headersOf, replyHeaderPrefix } from "./headers.ts";

export type Served = {
  /** Takes no new call, and resolves when those in flight are answered, or after `graceMs`. */
  stop(graceMs?: number): Promise<void>;
};

/** Puts every route of a service on its subject, in a queue group named after the service. */
export async function serve(bus: Bus, service: Service, hooks: Hooks): Promise<Served> {
  const { contract } = service;
  const endpoints = await bus.nc.services.add({
    name: contract.service,
    version: contract.version,
    queue: contract.service,
  });
  const running = new Set<Promise<void>>();
  for (const [name, route] of Object.entries(contract.routes)) {
    endpoints.addEndpoint(name, {
      subject: route.subject,
      // The services framework catches synchronous throws only: a rejection that escaped `answer` would leave the
      // caller waiting for its time-out and count no error.
      handler: (err, msg) => {
        if (err) return hooks.log.error({ err, route: name }, "an endpoint failed");
        const call = answer(msg, service, name, route, hooks).finally(() => running.delete(call));
        running.add(call);
      },
    });
  }
  // Resolved means served: without this round trip a first call may find nobody.
  await bus.nc.flush();
  return {
    async stop(graceMs = 5_000) {
      await endpoints.stop().catch(() => undefined);
      let timer: ReturnType<typeof setTimeout> | undefined;
      const bounded = new Promise<void>((resolve) => (timer = setTimeout(resolve, graceMs)));
      await Promise.race([Promise.allSettled(running), bounded]);
      clearTimeout(timer);
    },
  };
}

async function answer(msg: Msg, service: Service, name: string, route: Route, hooks: Hooks): Promise<void> {
  // The right to answer covers whatever reply subject the caller wrote: anything but an inbox could be another
  // service's subject.
  if (!msg.reply?.startsWith("_INBOX."))
    return hooks.log.warn({ route: name }, "a call without an inbox was ignored");
  const partial = decodeMeta(msg.headers, route.policy.timeoutMs, Date.now());
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), Math.max(0, partial.deadline - Date.now()));
  try {
    const meta = { ...partial, signal: abort.signal };
    const { reply, headers: replyHeaders } = await dispatch(service, name, body(msg), meta, hooks);
    const written = Object.entries(replyHeaders).map(([key, value]) => [replyHeaderPrefix + key, value]);
    const more = written.length > 0 ? { headers: headersOf(Object.fromEntries(written)) } : undefined;
    msg.respond(JSON.stringify(reply), more);
  } catch (error) {
    refuse(
      msg,
      error instanceof Fault ? error : coreFault("internal.error", {}, { cause: error }),
      partial.requestId,
    );
  } finally {
    clearTimeout(timer);
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
