import { accountId } from "#shared/contract/actor.ts";
import type { ServerFacts } from "#shared/contract/authority.ts";
import { type Context, verb } from "#shared/contract/implement.ts";
import { answerOnce } from "#shared/db/idempotency.ts";
import type { Tx } from "#shared/db/connect.ts";
import { emit } from "#shared/db/outbox.ts";
import { withTx } from "#shared/db/tx.ts";
import { coreFault } from "#shared/fault/core.ts";
import { newId } from "#shared/ids/ids.ts";
import { provisioning } from "../contract.ts";
import { deleteScope } from "../keyed-deletes.ts";
import type { Deps } from "../service.ts";
import { beginDeletion } from "../workflows/delete-server.ts";
import { type Deletion, findContainer, isArchived } from "../workflows/deletion.ts";

export const deleteServer = verb(
  provisioning,
  "deleteServer",
)((deps: Deps) => async ({ input, ctx, server, fail }) => {
  const { lock, agent: _, ...facts } = server;
  const { force } = input;
  const key = ctx.idempotencyKey;
  if (key !== undefined && !/^[\x21-\x7e]{1,255}$/.test(key)) throw coreFault("idempotency.key_invalid");
  if (force && ctx.actor.kind === "account" && ctx.actor.role !== "operator")
    throw coreFault("auth.forbidden", { detail: "Only an operator may delete a server that runs" });
  const looked = lock && !force ? await look(deps, facts) : {};

  const { answer, replayed } = await withTx(deps.db, async (tx) => {
    const accept = async () => {
      // Without a lock it was let through to the answer that it had before, see keyed-deletes.ts.
      if (!lock) throw new Error("a deletion was begun, and its answer is not stored");
      // Here, because an equal request may have been accepted meanwhile: then its answer is the answer to this one.
      if ("error" in looked) throw looked.error;
      if (looked.running) fail("still_running");
      // Who has been told that there was no answer must not have been accepted after that.
      if (ctx.signal.aborted) throw coreFault("service.timeout");
      return begin(tx, deps, ctx, lock, { ...facts, force });
    };
    if (key === undefined) return { answer: await accept(), replayed: false };
    return answerOnce(tx, { scope: deleteScope(accountId(ctx.actor) ?? ""), key, body: input }, accept);
  });
  ctx.replyHeader("location", answer.statusUrl);
  if (replayed) ctx.replyHeader("idempotency-replayed", "true");
  return answer;
});

async function begin(
  tx: Tx,
  deps: Deps,
  ctx: Context,
  { operationId, fence }: NonNullable<ServerFacts["lock"]>,
  facts: Omit<Deletion, "type" | "fence">,
) {
  const state = { ...facts, type: "server.delete", fence };
  const operation = await beginDeletion(tx, deps.sagas.deleteServer, operationId, state);
  if (facts.force) await tellAudit(tx, deps, ctx, facts);
  const { statusUrl } = operation;
  return { ok: true as const, operationId, statusUrl, requestId: ctx.requestId, operation };
}

/** Whether the container runs and its customer could stop it, by the host's word; or why that is not known. */
async function look(deps: Deps, facts: ServerFacts): Promise<{ running?: boolean } | { error: unknown }> {
  try {
    const { ours } = await findContainer(deps, facts);
    return { running: ours?.status === "running" && !(await isArchived(deps, facts.instanceId)) };
  } catch (error) {
    return { error };
  }
}

/** That a running server was taken from its customer is more than the edge sees of the request. */
async function tellAudit(
  tx: Tx,
  deps: Deps,
  ctx: Context,
  { instanceId, customerId, vmid }: Pick<Deletion, "instanceId" | "customerId" | "vmid">,
) {
  const { actor, address = null, requestId } = ctx;
  const id = newId("aud");
  const record = {
    id,
    actor: accountId(actor) ?? (actor.kind === "service" ? actor.name : null),
    via: actor.kind === "account" ? actor.via : null,
    action: "server.delete.force",
    target: instanceId,
    customerId,
    address,
    requestId,
    at: new Date(deps.clock.now()).toISOString(),
    details: { vmid },
  };
  await emit(tx, provisioning.events.auditRecorded, { key: id, version: 1, data: record });
}
