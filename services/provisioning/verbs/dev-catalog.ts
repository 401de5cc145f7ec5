import { verb } from "#shared/contract/implement.ts";
import { runtimes } from "../catalog.ts";
import { provisioning } from "../contract.ts";

export const devCatalog = verb(provisioning, "devCatalog")(() => async () => ({ runtimes: [...runtimes] }));
