import { z } from "zod";

/**
 * What can be done to one server. The vocabulary of `policy.server`, of the billing matrix and of the operation
 * lock; `exclusive` actions hold the lock of their server, one at a time.
 */
export const serverActions = {
  "server.read": { exclusive: false },
  "server.delete": { exclusive: true },
  "power.start": { exclusive: true },
  "power.stop": { exclusive: true },
  "power.restart": { exclusive: true },
  "files.read": { exclusive: false },
  "files.write": { exclusive: false },
  "backups.read": { exclusive: false },
  "backups.create": { exclusive: true },
  "backups.restore": { exclusive: true },
  "backups.delete": { exclusive: false },
  "backups.lock": { exclusive: false },
  "schedules.write": { exclusive: false },
  "console.view": { exclusive: false },
  "console.input": { exclusive: false },
  "ide.use": { exclusive: false },
} as const satisfies Record<string, { exclusive: boolean }>;

export type ServerAction = keyof typeof serverActions;
export const ServerAction = z.enum(Object.keys(serverActions) as [ServerAction, ...ServerAction[]]);

/** Where a server's agent answers; given only to routes that declare `policy.agent`. */
export const AgentAccess = z.object({ address: z.string(), token: z.string() });
export type AgentAccess = z.infer<typeof AgentAccess>;

/** What the owner of servers says about the one that a request names, once it may be touched. */
export const ServerFacts = z.object({
  instanceId: z.uuid(),
  vmid: z.int(),
  customerId: z.string(),
  ctype: z.enum(["game", "dev"]),
  name: z.string(),
  hostname: z.string(),
  node: z.string(),
  /** Present on routes with `policy.agent`; null while the address is not known. */
  agent: AgentAccess.nullable().optional(),
  /** Present when the action is exclusive: the lock that was taken for this call. */
  lock: z.object({ operationId: z.string(), fence: z.int() }).optional(),
});
export type ServerFacts = z.infer<typeof ServerFacts>;
