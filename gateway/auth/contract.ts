import { z } from "zod";
import { defineContract } from "#shared/contract/define.ts";
import { accountRoutes } from "./routes/account.ts";
import { auditRoutes } from "./routes/audit.ts";
import { keyRoutes } from "./routes/keys.ts";
import { passwordRoutes } from "./routes/password.ts";
import { sessionRoutes } from "./routes/session.ts";

export { User } from "./routes/common.ts";

/**
 * The gateway's own routes: accounts, sessions, keys, the audit log. Served in its process, by the same mechanism as all
 * others; those for other services of the mesh, and they alone, over the bus too.
 */
export const gateway = defineContract({
  service: "gateway",
  version: "1.0.0",
  edge: true,
  calls: [],
  consumes: [
    "billing.accountChanged",
    "servers.auditRecorded",
    "provisioning.auditRecorded",
    "billing.auditRecorded",
  ],
  routes: { ...accountRoutes, ...sessionRoutes, ...passwordRoutes, ...keyRoutes, ...auditRoutes },
  events: {
    accountRegistered: {
      subject: "evt.gateway.v1.account.registered",
      summary: "An account was opened",
      data: z.object({
        accountId: z.string(),
        email: z.string(),
        username: z.string(),
        role: z.enum(["customer", "operator"]),
      }),
    },
    passwordResetRequested: {
      subject: "evt.gateway.v1.password.requested",
      summary: "Mail with a reset token waits to be delivered; whoever delivers it mints the token then",
      data: z.object({ mailId: z.string(), accountId: z.string() }),
    },
  },
  broadcasts: {
    sessionEnded: {
      subject: "bct.gateway.v1.session.ended",
      summary:
        "A session or key is over, or all that an account has: nobody believes it from memory any more",
      data: z.object({ via: z.string().optional(), accountId: z.string().optional() }),
    },
  },
});
