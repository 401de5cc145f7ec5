import { verb } from "#shared/contract/implement.ts";
import { games } from "../catalog.ts";
import { provisioning } from "../contract.ts";

export const gameCatalog = verb(provisioning, "gameCatalog")(() => async () => ({ games: [...games] }));
