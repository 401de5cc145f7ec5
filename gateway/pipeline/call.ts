import { request as callOverBus } from "#shared/bus/client.ts";
import type { Bus } from "#shared/bus/connect.ts";
import { type Answer, type CallMeta, dispatch, validate } from "#shared/contract/dispatch.ts";
import type { Service } from "#shared/contract/implement.ts";
import type { Exchange, Stage } from "../exchange.ts";

/** Makes the call: over the bus, or in this process where the route is the gateway's own. */
export const call =
  (bus: Bus, own: Service): Stage =>
  async (x) => {
    const meta = metaOf(x);
    x.answer =
      x.contract.service === own.contract.service
        ? await callOwn(own, x, meta)
        : await callOverBus(bus, x.route, validated(x), meta);
  };

/** The service validates again, for other callers; here it spares the bus a request that cannot succeed. */
function validated(x: Exchange): Record<string, unknown> {
  validate(x.route.request, x.input);
  return x.input;
}

function callOwn(own: Service, x: Exchange, meta: CallMeta): Promise<Answer> {
  return dispatch(own, x.name, x.input, meta, { log: x.log });
}

function metaOf(x: Exchange): CallMeta {
  const { actor, traceparent, requestId, address } = x;
  const { timeoutMs, idempotency } = x.route.policy;
  return {
    actor,
    traceparent,
    requestId,
    address,
    deadline: Date.now() + timeoutMs,
    signal: AbortSignal.any([x.request.signal, AbortSignal.timeout(timeoutMs)]),
    idempotencyKey:
      idempotency === "key" ? (x.request.headers.get("idempotency-key") ?? undefined) : undefined,
    cookie: undefined,
  };
}
