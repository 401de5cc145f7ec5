import { auditRecorded } from "#shared/contract/audit.ts";
import { defineContract } from "#shared/contract/define.ts";
import { internalRoutes } from "./internal-routes.ts";
import { publicRoutes } from "./public-routes.ts";
import { Instance, ObservationMade, RecordsChanged } from "./schemas.ts";

export { authorityErrors } from "./errors.ts";
export { Instance, InventoryRow, Readiness, ServerId, ServerRow, ServerStatus } from "./schemas.ts";

export const servers = defineContract({
  service: "servers",
  version: "1.1.0",
  operations: "srv",
  authority: { plain: "authorize", agent: "authorizeAgent", unlock: "unlock" },
  calls: ["billing.getAccount"],
  consumes: ["billing.accountChanged"],
  routes: { ...publicRoutes, ...internalRoutes },
  events: {
    instanceChanged: {
      subject: "evt.servers.v1.instance.changed",
      summary: "A server came to life or one of its recorded facts changed",
      data: Instance,
    },
    instanceArchived: {
      subject: "evt.servers.v1.instance.archived",
      summary: "A server was taken out of service",
      data: Instance,
    },
    auditRecorded: auditRecorded("servers"),
  },
  broadcasts: {
    observationMade: {
      subject: "bct.servers.v1.observation.made",
      summary: "What an agent said to one replica, for the memory of the others",
      data: ObservationMade,
    },
    recordsChanged: {
      subject: "bct.servers.v1.records.changed",
      summary: "What is remembered of these servers' rows is not true any more",
      data: RecordsChanged,
    },
  },
});
