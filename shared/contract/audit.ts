import { z } from "zod";
import type { EventDef } from "./define.ts";

/** One line of the audit log: who did what to whom, from where. It holds no secret and no body of a request. */
export const AuditRecord = z.object({
  id: z.string(),
  /** Account that acted, or the service that acted by itself; null while nobody is signed in. */
  actor: z.string().nullable(),
  /** Session or API key that was presented. */
  via: z.string().nullable(),
  action: z.string().max(80),
  /** Account, key, session or instance that was acted on, by its id. */
  target: z.string().nullable(),
  /** The account that owns the target, where it is not the actor. */
  customerId: z.string().nullable(),
  address: z.string().nullable(),
  requestId: z.string(),
  at: z.iso.datetime(),
  details: z.record(z.string(), z.unknown()).default({}),
});
export type AuditRecord = z.output<typeof AuditRecord>;

/** The event by which a service tells the keeper of the audit log what only it knows. Its key is the record's id. */
export const auditRecorded = <S extends string>(service: S) =>
  ({
    subject: `evt.${service}.v1.audit.recorded`,
    summary: "Something happened that the audit log keeps",
    data: AuditRecord,
  }) as const satisfies EventDef;
