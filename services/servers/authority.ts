import type { z } from "zod";
import { declaredCodes } from "#shared/bus/authority.ts";
import type { Actor } from "#shared/contract/actor.ts";
import { serverActions, type ServerAction, type ServerFacts } from "#shared/contract/authority.ts";
import { errorCode } from "#shared/contract/define.ts";
import type { Authority, CallMeta } from "#shared/contract/dispatch.ts";
import { withTx } from "#shared/db/tx.ts";
import { coreFault } from "#shared/fault/core.ts";
import { Fault } from "#shared/fault/fault.ts";
import { newId } from "#shared/ids/ids.ts";
import { gateMatrix, resolveUrl, ServerBillingState } from "#services/billing/contract.ts";
import { authorityErrors, servers } from "./contract.ts";
import { lockLife } from "./moment.ts";
import type { Deps } from "./service.ts";
import { toOperation } from "./shape.ts";
import {
  findAndLock,
  type Finding,
  type LockRecord,
  type Question,
  readLock,
  releaseLock,
  storeAccount,
} from "./store.ts";

export type Ask = {
  /** The VMID of a request; workers, which outlive a VMID, give the instance's uuid. */
  serverId: string;
  action: ServerAction;
  agent: boolean;
  operationId?: string | undefined;
};
type Meta = Pick<CallMeta, "actor" | "address" | "requestId" | "traceparent" | "deadline">;

/** How `policy.server` is applied to this service's own routes: the same decision without the bus. */
export function localAuthority(deps: Deps): Authority {
  return {
    authorize: (ask, meta) => authorize(deps, ask, meta),
    unlock: async (lock) => void (await withTx(deps.db, (tx) => releaseLock(tx, lock))),
    errors: declaredCodes(servers.service, authorityErrors),
  };
}

/**
 * Ownership, billing gate, lock: in this order, in one statement. Rejects with `servers.not_found`, alike for a server
 * that does not exist and for another's; `billing.gated`; `servers.busy`; or `service.unavailable` when the action
 * depends on billing and nothing at all is known about the account.
 */
export async function authorize(deps: Deps, ask: Ask, meta: Meta): Promise<ServerFacts> {
  const question = questionOf(deps, ask, meta);
  if (!question) throw authorityFault("not_found");
  const remembered = isPlain(question) ? await recalled(deps, question, ask, meta) : undefined;
  if (remembered) return remembered;
  let answer = await decide(deps, question, ask, meta);
  if (answer.found && answer.found.billing === null && !answer.found.open) {
    await askBilling(deps, answer.found.customerId, meta);
    answer = await decide(deps, question, ask, meta);
  }
  const { found, holder } = answer;
  if (!found) throw authorityFault("not_found");
  if (!found.open) throw gated(ask.action, found);
  if (question.lock && found.fence === null)
    throw authorityFault("busy", { operation: holder ? toOperation(holder) : {} });
  return factsOf(found, ask, question);
}

/** What depends on the server and its owner alone, which never changes: no lock, and open in every billing state. */
const isPlain = ({ lock, openToUnknown }: Question): boolean => lock === null && openToUnknown;

/** The answer from what is remembered; undefined when there is something to be written down first. */
async function recalled(
  { records, notes }: Deps,
  { server, owner }: Question,
  ask: Ask,
  { actor }: Meta,
): Promise<ServerFacts | undefined> {
  const known = await records.find(server);
  if (!known || (owner !== null && known.server.customerId !== owner)) throw authorityFault("not_found");
  const use = foreignUse(actor, ask, known.server);
  if (use && !notes.told(use)) return undefined;
  return factsOf({ ...known.server, agent: known.agent, fence: null }, ask, { lock: null });
}

/** An operator's use of a server that is not his own; undefined for every other one. */
function foreignUse(actor: Actor, { action }: Ask, found: { instanceId: string; customerId: string }) {
  if (actor.kind !== "account" || actor.role !== "operator" || actor.id === found.customerId)
    return undefined;
  return { actor, action, instanceId: found.instanceId };
}

function questionOf(deps: Deps, ask: Ask, meta: Meta): Question | undefined {
  const server = serverOf(ask.serverId);
  const { actor } = meta;
  // Services act for themselves here: their rights on the bus have already decided. Nobody else is without an account.
  if (!server || actor.kind === "anonymous") return undefined;
  const openIn = gateMatrix[ask.action];
  const operator = actor.kind === "account" && opensAll(actor, ask.action);
  return {
    server,
    owner: actor.kind === "account" && !operator ? actor.id : null,
    openIn,
    openToUnknown: ServerBillingState.options.every((state) => openIn.includes(state)),
    lock: serverActions[ask.action].exclusive
      ? {
          operationId: ask.operationId ?? newId("srv"),
          type: ask.action,
          life: lockLife(deps),
        }
      : null,
  };
}

/**
 * An operator's session opens everybody's servers. His key does with an operator's scope, that of writing for whatever a
 * billing state can close or needs the lock; one that he made for his own servers opens these.
 */
function opensAll({ role, scopes }: Extract<Actor, { kind: "account" }>, action: ServerAction): boolean {
  if (role !== "operator") return false;
  if (scopes === undefined || scopes.includes("admin:write")) return true;
  return scopes.includes("admin:read") && action.endsWith(".read");
}

function serverOf(id: string): Question["server"] | undefined {
  if (/^[1-9]\d{0,8}$/.test(id)) return { vmid: Number(id) };
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) return { instanceId: id };
  return undefined;
}

/** The statement, and others only for an operator's note or to name the holder of a lock that was not to be had. */
function decide({ db, clock, notes }: Deps, question: Question, ask: Ask, meta: Meta) {
  return withTx(db, async (tx): Promise<{ found?: Finding; holder?: LockRecord }> => {
    const found = await findAndLock(tx, question);
    if (!found) return {};
    // Who asked has given up, and would neither use the lock nor give it back.
    if (found.fence !== null && clock.now() >= meta.deadline) throw coreFault("service.timeout");
    const use = foreignUse(meta.actor, ask, found);
    if (use) await notes.tell(tx, use, found, meta);
    if (!question.lock || !found.open || found.fence !== null) return { found };
    const holder = (await readLock(tx, found.instanceId)) ?? teardownOf(found);
    return { found, ...(holder ? { holder } : {}) };
  });
}

/** A teardown keeps its server also while nobody works at it: it can only be gone on with. */
function teardownOf({ removal }: Finding): LockRecord | undefined {
  if (!removal) return undefined;
  const { operationId, since: lockedAt } = removal;
  return {
    operationId,
    type: "server.delete",
    phase: null,
    message: "The server is being deleted",
    lockedAt,
  };
}

/** Without an answer the action stays closed for the moment: opening it could run what billing has stopped. */
async function askBilling({ billing, db, log }: Deps, accountId: string, meta: Meta): Promise<void> {
  try {
    const { traceparent, deadline } = meta;
    const account = await billing.getAccount({ accountId }, { traceparent, deadline });
    await withTx(db, (tx) => storeAccount(tx, account));
  } catch (cause) {
    log.warn({ err: cause, accountId }, "billing does not answer, and nothing is known about the account");
    const detail = "The account's billing state is not known at the moment";
    throw coreFault("service.unavailable", { detail }, { cause });
  }
}

function gated(action: ServerAction, { billing }: Finding): Fault {
  return authorityFault("billing.gated", {
    state: billing?.state,
    action,
    since: billing?.since.toISOString(),
    resolveUrl,
  });
}

function factsOf(
  found: Omit<ServerFacts, "lock"> & Pick<Finding, "agent" | "fence">,
  ask: Ask,
  { lock }: Pick<Question, "lock">,
): ServerFacts {
  const { instanceId, vmid, customerId, ctype, name, hostname, node, agent, fence } = found;
  return {
    instanceId,
    vmid,
    customerId,
    ctype,
    name,
    hostname,
    node,
    ...(ask.agent ? { agent } : {}),
    ...(lock && fence !== null ? { lock: { operationId: lock.operationId, fence } } : {}),
  };
}

/** A declared error of `authorize`, raised where no verb is: its details are checked all the same. */
export function authorityFault(key: keyof typeof authorityErrors, extra?: Record<string, unknown>): Fault {
  const definition = authorityErrors[key];
  const schema = "details" in definition ? (definition.details as z.ZodObject) : undefined;
  const { status, title } = definition;
  return new Fault({
    code: errorCode(servers.service, key),
    status,
    title,
    retryable: "retryable" in definition,
    details: schema?.parse(extra),
  });
}
