import type { z } from "zod";
import type { Logger } from "#shared/telemetry/log.ts";
import type { Actor } from "./actor.ts";
import type { ServerAction, ServerFacts } from "./authority.ts";
import type { Contract, ErrorDef, Events, Route, Routes } from "./define.ts";

/** What a verb may know of its call besides the input. */
export type Context = {
  actor: Actor;
  /** Trace id of the request, the X-Request-Id of its answer. */
  requestId: string;
  traceparent: string;
  /** Milliseconds since the epoch; nothing that the verb waits for may outlast it. */
  deadline: number;
  /** Aborts at the deadline, or when the caller went away. */
  signal: AbortSignal;
  idempotencyKey: string | undefined;
  /** Client address as the gateway saw it. */
  address: string | undefined;
  /** Value of the cookie that the route declares. */
  cookie: string | undefined;
  log: Logger;
  /** Sets a header of the HTTP answer; `set-cookie` only on routes that declare a cookie. */
  replyHeader(name: ReplyHeader, value: string): void;
};
export type ReplyHeader = "idempotency-replayed" | "retry-after" | "location" | "set-cookie";

type Extra<D> = D extends { details: infer Z extends z.ZodType }
  ? [extra: { details: z.input<Z>; detail?: string; retryAfter?: number }]
  : [extra?: { detail?: string; retryAfter?: number }];

/** Ends the verb with a declared error; anything else does not compile. */
export type Fail<E extends Record<string, ErrorDef>> = <K extends keyof E & string>(
  key: K,
  ...extra: Extra<E[K]>
) => never;

export type Call<R extends Route> = {
  input: z.output<R["request"]>;
  ctx: Context;
  /** The server that the request names, on routes with `policy.server`. */
  server: R["policy"] extends { server: ServerAction } ? ServerFacts : undefined;
  fail: Fail<R["errors"]>;
};
export type Handlers<R extends Routes> = {
  [K in keyof R]: (call: Call<R[K]>) => Promise<z.input<R[K]["reply"]>>;
};
export type Service<R extends Routes = Routes> = {
  contract: Contract<R>;
  handlers: Handlers<R>;
};

// Both helpers are curried on purpose: once the routes are fixed by the first call, TypeScript keeps literal reply
// types ("queued", not string) inside handlers. In one call they widen.

/** Binds a whole contract. A missing or mistyped handler does not compile. */
export const implement =
  <R extends Routes, E extends Events>(contract: Contract<R, E>) =>
  <D>(build: (deps: D) => Handlers<R>) =>
  (deps: D): Service<R> => ({ contract, handlers: build(deps) });

/** Binds one route in a file of its own: `verb(contract, "route")((deps) => async ({ input, fail }) => …)`. */
export const verb =
  <R extends Routes, E extends Events, K extends keyof R & string>(_contract: Contract<R, E>, _route: K) =>
  <D>(build: (deps: D) => Handlers<R>[K]) =>
    build;
