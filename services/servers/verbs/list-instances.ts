import { verb } from "#shared/contract/implement.ts";
import { servers } from "../contract.ts";
import type { Deps } from "../service.ts";
import { rowsOf } from "./list-servers.ts";

export const listInstances = verb(
  servers,
  "listInstances",
)((deps: Deps) => async ({ ctx }) => ({ ok: true, rows: await rowsOf(deps, ctx.actor) }));
