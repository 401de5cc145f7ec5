import { verb } from "#shared/contract/implement.ts";
import { authorize as decide } from "../authority.ts";
import { servers } from "../contract.ts";
import type { Deps } from "../service.ts";

export const authorize = verb(
  servers,
  "authorize",
)(
  (deps: Deps) =>
    ({ input, ctx }) =>
      decide(deps, { ...input, agent: false }, ctx),
);
