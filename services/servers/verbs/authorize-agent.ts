import { verb } from "#shared/contract/implement.ts";
import { authorize } from "../authority.ts";
import { servers } from "../contract.ts";
import type { Deps } from "../service.ts";

export const authorizeAgent = verb(
  servers,
  "authorizeAgent",
)(
  (deps: Deps) =>
    ({ input, ctx }) =>
      authorize(deps, { ...input, agent: true }, ctx),
);
