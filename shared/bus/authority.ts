import type { z } from "zod";
import type { ServerAction, ServerFacts } from "#shared/contract/authority.ts";
import { type Contract, type ErrorDef, errorCode, type Events, type Route } from "#shared/contract/define.ts";
import type { Authority } from "#shared/contract/dispatch.ts";
import { client } from "./client.ts";
import type { Bus } from "./connect.ts";

type Ask = z.ZodObject<{
  serverId: z.ZodString;
  action: z.ZodType<ServerAction, ServerAction>;
  operationId: z.ZodOptional<z.ZodString>;
}>;
type Asked = Route & { request: Ask; reply: typeof ServerFacts; errors: Record<string, ErrorDef> };
type Unlock = Route & {
  request: z.ZodObject<{ instanceId: z.ZodUUID; operationId: z.ZodString; fence: z.ZodInt }>;
};
type Owner = { authorize: Asked; authorizeAgent: Asked; unlock: Unlock };

/** The authority over servers, asked through the bus by every service that does not own them itself. */
export function authorityOver<R extends Owner & Record<string, Route>, E extends Events>(
  bus: Bus,
  owner: Contract<R, E>,
): Authority {
  const { authorize, authorizeAgent, unlock } = client(bus, owner as unknown as Contract<Owner>);
  return {
    authorize: ({ agent, operationId, ...ask }, meta) =>
      (agent ? authorizeAgent : authorize)(operationId === undefined ? ask : { ...ask, operationId }, meta),
    unlock: async (lock) => void (await unlock(lock)),
    errors: declaredCodes(owner.service, owner.routes.authorize.errors),
  };
}

/** The errors of a route, keyed by the code that a client sees. */
export function declaredCodes(service: string, errors: Record<string, ErrorDef>): Record<string, ErrorDef> {
  return Object.fromEntries(
    Object.entries(errors).map(([key, definition]) => [errorCode(service, key), definition]),
  );
}
