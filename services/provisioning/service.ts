import type { billing } from "#services/billing/contract.ts";
import type { Client } from "#shared/bus/client.ts";
import { implement } from "#shared/contract/implement.ts";
import { provisioning } from "./contract.ts";
import type { Runtimes } from "./runtimes.ts";
import { createServer } from "./verbs/create-server.ts";
import { deleteServer } from "./verbs/delete-server.ts";
import { devCatalog } from "./verbs/dev-catalog.ts";
import { gameCatalog } from "./verbs/game-catalog.ts";
import { getOperation } from "./verbs/get-operation.ts";
import { inventory } from "./verbs/inventory.ts";
import { restartHost } from "./verbs/restart-host.ts";
import { startHost } from "./verbs/start-host.ts";
import { stopHost } from "./verbs/stop-host.ts";
import type { WorkflowDeps } from "./workflows/deps.ts";
import type { Sagas } from "./workflows/sagas.ts";

export type Deps = Pick<WorkflowDeps, "db" | "clock" | "driver" | "servers" | "installation"> & {
  sagas: Sagas;
  /** What a dev container can bring. */
  runtimes: Runtimes;
  /** For so long an identical create without an Idempotency-Key joins the first one, in milliseconds. */
  joinMs: number;
  billing: Pick<Client<(typeof billing)["routes"]>, "getAccount">;
};

export const provisioningService = implement(provisioning)((deps: Deps) => ({
  createServer: createServer(deps),
  deleteServer: deleteServer(deps),
  startHost: startHost(deps),
  stopHost: stopHost(deps),
  restartHost: restartHost(deps),
  inventory: inventory(deps),
  getOperation: getOperation(deps),
  gameCatalog: gameCatalog(deps),
  devCatalog: devCatalog(deps),
}));
