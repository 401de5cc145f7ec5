import { createHash } from "node:crypto";
import type { z } from "zod";
import { accountId } from "#shared/contract/actor.ts";
import { verb } from "#shared/contract/implement.ts";
import { answerOnce } from "#shared/db/idempotency.ts";
import { withTx } from "#shared/db/tx.ts";
import { coreFault } from "#shared/fault/core.ts";
import { learnAccount } from "../account.ts";
import { type Choice, chooseGame, chooseRuntime } from "../catalog.ts";
import { type CreateServer, provisioning } from "../contract.ts";
import { acceptOrder } from "../order.ts";
import type { Deps } from "../service.ts";
import { forgetCreate } from "../store.ts";

export const createServer = verb(
  provisioning,
  "createServer",
)((deps: Deps) => async ({ input, ctx, fail }) => {
  const owner = accountId(ctx.actor);
  if (owner === undefined) throw coreFault("auth.required");
  const key = ctx.idempotencyKey;
  if (key !== undefined && !/^[\x21-\x7e]{1,255}$/.test(key)) throw coreFault("idempotency.key_invalid");
  const [addon] = input.addons;
  if (addon !== undefined)
    fail("addons_unavailable", { detail: `There is no add-on ${JSON.stringify(addon)}` });
  const choice = await choose(deps, input);
  if ("error" in choice) return fail(choice.error, { detail: choice.detail });
  await learnAccount(deps, owner, ctx);

  const { engine } = choice;
  const {
    memoryMiB,
    name = engine.ctype === "game" ? `${engine.game} server` : `${engine.runtime} workspace`,
  } = input;
  const order = { accountId: owner, name, memoryMiB, engine };
  const { answer, replayed } = await withTx(deps.db, async (tx) => {
    const accept = async () => {
      const operation = await acceptOrder(tx, deps.sagas, order, fail);
      const { id: operationId, statusUrl } = operation;
      return { ok: true as const, operationId, statusUrl, requestId: ctx.requestId, operation };
    };
    if (key !== undefined)
      return answerOnce(tx, { scope: `createServer:${owner}`, key, body: input }, accept);
    // A double click: without a key the body itself is one, for a short while.
    const joined = { scope: `createServer:${owner}:unkeyed`, key: digest(input) };
    await forgetCreate(tx, { ...joined, olderThanMs: deps.joinMs });
    return answerOnce(tx, { ...joined, body: input }, accept);
  });
  ctx.replyHeader("location", answer.statusUrl);
  if (replayed) ctx.replyHeader("idempotency-replayed", "true");
  return answer;
});

/** The schema has made sure that one of the two names the type. */
const choose = async ({ runtimes }: Deps, input: z.output<typeof CreateServer>): Promise<Choice> =>
  (input.ctype ?? input.type) === "dev" ? chooseRuntime(await runtimes(), input) : chooseGame(input);

/** Parsed bodies have their members in the contract's order, so equal ones have equal digests. */
const digest = (input: z.output<typeof CreateServer>): string =>
  createHash("sha256").update(JSON.stringify(input)).digest("hex");
