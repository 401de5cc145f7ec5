import { verb } from "#shared/contract/implement.ts";
import { servers } from "../contract.ts";
import type { Deps } from "../service.ts";
import { requestPower } from "../workflows/request-power.ts";

export const restartGame = verb(
  servers,
  "restartGame",
)((deps: Deps) => async ({ server, ctx, fail }) => {
  if (server.ctype !== "game") return fail("not_a_game");
  const call = { server, deadline: ctx.deadline, hostStopped: () => fail("host_stopped") };
  return { ok: true, operation: await requestPower(deps, "restart", call) };
});
