import type { billing } from "#services/billing/contract.ts";
import type { Client } from "#shared/bus/client.ts";
import { implement } from "#shared/contract/implement.ts";
import type { Db } from "#shared/db/connect.ts";
import { provisioning } from "./contract.ts";
import { createServer } from "./verbs/create-server.ts";
import { devCatalog } from "./verbs/dev-catalog.ts";
import { gameCatalog } from "./verbs/game-catalog.ts";
import { getOperation } from "./verbs/get-operation.ts";
import type { CreateGame } from "./workflows/create-game.ts";

export type Deps = {
  db: Db;
  createGame: CreateGame;
  /** For so long an identical create without an Idempotency-Key joins the first one, in milliseconds. */
  joinMs: number;
  billing: Pick<Client<(typeof billing)["routes"]>, "getAccount">;
};

export const provisioningService = implement(provisioning)((deps: Deps) => ({
  createServer: createServer(deps),
  getOperation: getOperation(deps),
  gameCatalog: gameCatalog(deps),
  devCatalog: devCatalog(deps),
}));
