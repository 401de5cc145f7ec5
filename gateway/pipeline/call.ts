import { refreshCookieName } from "#gateway/auth/cookie.ts";
import { requestRaw as callOverBus } from "#shared/bus/client.ts";
import type { Bus } from "#shared/bus/connect.ts";
import { type Answer, type CallMeta, dispatch } from "#shared/contract/dispatch.ts";
import type { Service } from "#shared/contract/implement.ts";
import { coreFault } from "#shared/fault/core.ts";
import type { Exchange, Stage } from "../exchange.ts";
import { readCookie } from "./cookie.ts";

/** Makes the call: over the bus, or in this process where the route is the gateway's own. */
export const call =
  (bus: Bus, own: Service): Stage =>
  async (x) => {
    if (x.contract.service === own.contract.service) {
      const { reply, headers } = await callOwn(own, x);
      x.answer = { body: JSON.stringify(reply), headers };
      return;
    }
    x.answer = await callOverBus(bus, x.route, x.input, metaOf(x));
  };

/** Ends with the route's time, or with the client: nothing goes on for somebody who has left. */
async function callOwn(own: Service, x: Exchange): Promise<Answer> {
  const over = new AbortController();
  const end = () => over.abort();
  const timer = setTimeout(end, x.route.policy.timeoutMs);
  const { signal: gone } = x.request;
  gone.addEventListener("abort", end, { once: true });
  try {
    const meta = { ...metaOf(x), signal: over.signal };
    return await dispatch(own, x.name, x.input, meta, { log: x.log });
  } finally {
    clearTimeout(timer);
    gone.removeEventListener("abort", end);
  }
}

function metaOf(x: Exchange): Omit<CallMeta, "signal"> {
  const { actor, traceparent, requestId, address, request } = x;
  const { http, policy } = x.route;
  return {
    actor,
    traceparent,
    requestId,
    address,
    deadline: Date.now() + policy.timeoutMs,
    idempotencyKey: policy.idempotency === "key" ? keyOf(request) : undefined,
    cookie: http?.cookie ? readCookie(request.headers.get("cookie"), refreshCookieName) : undefined,
  };
}

/** The client's key; two headers arrive joined by a comma and a blank, which no key holds. */
function keyOf(request: Request): string | undefined {
  const key = request.headers.get("idempotency-key");
  if (key === null) return undefined;
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) throw coreFault("idempotency.key_invalid");
  return key;
}
