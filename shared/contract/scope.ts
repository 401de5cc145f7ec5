import { z } from "zod";

/**
 * What an API key may be given, with the sentence that its owner reads. A route names the one that it asks for as
 * `policy.scope`; a route without one needs a person with a session.
 */
export const scopes = {
  "servers:read": "See servers, their status and operations",
  "servers:create": "Create servers",
  "servers:power": "Start, stop and restart servers",
  "servers:delete": "Delete servers",
  "account:read": "See the account and its plan",
  "audit:read": "Read the audit log",
  "admin:read": "See what operators see",
  "admin:write": "Do what operators may do",
} as const;

export type Scope = keyof typeof scopes;
export const Scope = z.enum(Object.keys(scopes) as [Scope, ...Scope[]]);

/** Whether only an operator's key may hold it. */
export const isOperatorScope = (scope: Scope): boolean => scope.startsWith("admin:");
