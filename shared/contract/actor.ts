import { z } from "zod";

/** On whose behalf a call is made. Built by the gateway, or by a worker for itself; carried in `Mesh-Actor`. */
export const Actor = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("anonymous") }),
  z.object({ kind: z.literal("service"), name: z.string() }),
  z.object({
    kind: z.literal("account"),
    id: z.string(),
    role: z.enum(["customer", "operator"]),
    /** Session or API key that was presented. */
    via: z.string(),
    /** What the API key that was presented may do; absent for a session, which may do all that the account may. */
    scopes: z.array(z.string()).optional(),
  }),
]);
export type Actor = z.infer<typeof Actor>;

export const anonymous: Actor = { kind: "anonymous" };
export const serviceActor = (name: string): Actor => ({ kind: "service", name });

/** The account id of an actor; undefined for services and anonymous callers. */
export function accountId(actor: Actor): string | undefined {
  return actor.kind === "account" ? actor.id : undefined;
}
