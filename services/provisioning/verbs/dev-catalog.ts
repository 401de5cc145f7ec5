import { verb } from "#shared/contract/implement.ts";
import { provisioning } from "../contract.ts";
import type { Deps } from "../service.ts";

export const devCatalog = verb(
  provisioning,
  "devCatalog",
)(({ runtimes }: Deps) => async () => ({ runtimes: [...(await runtimes())] }));
