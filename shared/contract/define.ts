import type { z } from "zod";
import type { ServerAction } from "./authority.ts";
import type { Scope } from "./scope.ts";

/** A route on HTTP. Parameters are `:name`; a parameter overrules a member of the query or body with its name. */
export type Binding = { method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE"; path: `/${string}` };

/** An older address of the same route: same behaviour, answers marked as deprecated since that day (YYYY-MM-DD). */
export type Alias = Binding & { since: `${number}-${number}-${number}`; reason: string };

export type Http = Binding & {
  success: 200 | 201 | 202 | 204;
  /**
   * `json`: the reply is the body. `download` and `upload`: the reply is a {@link Ticket} that the gateway uses up
   * to pipe bytes between the client and the holder of the file; bytes never travel on the bus.
   */
  kind: "json" | "download" | "upload";
  aliases?: readonly Alias[];
  /** Several services may bind one path when the prefix of a parameter tells them apart. */
  when?: { param: string; prefix: string };
  /** The one cookie that the route may read and set. */
  cookie?: "refresh";
};

export type Policy = {
  /**
   * public: anyone · session: a signed-in account · operator: an account of that role · internal: no account, the
   * address decides · service: other services of the mesh, never HTTP.
   */
  auth: "public" | "session" | "operator" | "internal" | "service";
  /** Address allow-list of the gateway; `none` admits any address. */
  guard: "none" | "internal" | "operator";
  /** Ownership, billing gate and operation lock of the server that the request's `id` names. */
  server?: ServerAction;
  /** The verb needs the server's agent: the facts carry its address and token. */
  agent?: true;
  /** What an API key must hold to call the route; without one no API key can, only a session. */
  scope?: Scope;
  /** Class of the rate limit that the edge applies, by address and by the account that the request names. */
  limit?: "register" | "login" | "recover" | "refresh";
  /** safe: reads · natural: repeating changes nothing more · key: Idempotency-Key, stored by the service. */
  idempotency: "safe" | "natural" | "key";
  /** Milliseconds until the caller is told that there was no answer. */
  timeoutMs: number;
};

export type ErrorDef = {
  status: number;
  title: string;
  retryable?: boolean;
  /** Shape of `details`; a fault with this code cannot be raised without them. */
  details?: z.ZodObject;
};

export type Route = {
  subject: string;
  summary: string;
  http?: Http;
  policy: Policy;
  request: z.ZodObject;
  reply: z.ZodType;
  /** Keyed by name within the service; a key with a dot is another owner's code, declared here to be passed on. */
  errors: Record<string, ErrorDef>;
  /** A request that the schema accepts: shown in the API page, sent by the generated policy tests. */
  example?: Record<string, unknown>;
};
export type Routes = Record<string, Route>;

/** A fact that happened. `data` is the full public state of its key; subscribers may store a newer version of it. */
export type EventDef = { subject: string; summary: string; data: z.ZodObject };
export type Events = Record<string, EventDef>;

/**
 * Something that the replicas of a service tell each other, at most once and stored nowhere. It spares time and is
 * never needed for truth: whoever misses one finds out later by himself.
 */
export type BroadcastDef = { subject: string; summary: string; data: z.ZodObject };
export type Broadcasts = Record<string, BroadcastDef>;

/** Names of routes: a decision alone, one that also tells how to reach the agent, and giving back the lock. */
export type AuthorityRoutes = { plain: string; agent: string; unlock: string };

export type Contract<
  R extends Routes = Routes,
  E extends Events = Events,
  S extends string = string,
  B extends Broadcasts = Broadcasts,
> = {
  service: S;
  version: string;
  /** Prefix of the ids of this service's operations; by it the gateway knows whom to ask for one. */
  operations?: string;
  /** Set by the one service that decides for `policy.server`: its routes that do so. */
  authority?: AuthorityRoutes;
  /** Set by the one service that makes the calls of HTTP clients. */
  edge?: true;
  /** Routes of others that this service calls, `<service>.<route>`: the source of its rights on the bus. */
  calls: readonly `${string}.${string}`[];
  /** Events of others that this service reads, `<service>.<event>`: each becomes a durable consumer. */
  consumes: readonly `${string}.${string}`[];
  routes: R;
  events: E;
  /** Between the replicas of this service alone. */
  broadcasts?: B;
};

/** Returns its argument; the types pin every literal and tie each subject to the service that owns it. */
export function defineContract<
  const S extends string,
  const R extends Record<string, Route & { subject: `rpc.${S}.v${number}.${string}.${string}` }>,
  const E extends Record<string, EventDef & { subject: `evt.${S}.v${number}.${string}.${string}` }>,
  const B extends Record<string, BroadcastDef & { subject: `bct.${S}.v${number}.${string}.${string}` }>,
>(contract: Contract<R, E, S, B>): Contract<R, E, S, B> {
  return contract;
}

/** The canonical binding first, then its aliases; empty for a route that only the bus can reach. */
export function bindings(route: Route): readonly (Binding & { alias?: Alias })[] {
  if (!route.http) return [];
  const { method, path, aliases = [] } = route.http;
  return [{ method, path }, ...aliases.map((alias) => ({ method: alias.method, path: alias.path, alias }))];
}

/** The stable code of a declared error: `<service>.<name>`, or the key itself when it names its owner. */
export function errorCode(service: string, key: string): string {
  return key.includes(".") ? key : `${service}.${key}`;
}
