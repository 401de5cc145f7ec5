import type { AgentAccess } from "#shared/contract/authority.ts";
import type { Db } from "#shared/db/connect.ts";
import type { Clock } from "#shared/process/clock.ts";
import { type LockLife, readKnown, type ServerRecord, type Touched } from "../store.ts";

export type Known = { server: ServerRecord; agent: AgentAccess };
export type ServerKey = { vmid: number } | { instanceId: string };

/**
 * The rows of servers that were asked for within the last moment. It spares the database the questions that pages ask
 * again and again; what it may be used for, and why that is safe, stands in the README.
 */
export type Records = {
  /** The live server, as it is in the database or was at most `ttlMs` ago; undefined when there is none. */
  find(key: ServerKey): Promise<Known | undefined>;
  /** Somebody has written about this: nothing that was read before is given to who asks from now on. */
  forget: (what: Touched) => void;
};

type Entry = { known: Known; readAt: number };
/** A question under way. `outdated`: somebody wrote meanwhile, so that its answer is for those alone who wait for it. */
type Question = { answer: Promise<Known | undefined>; outdated: boolean };

/** More servers than this are not remembered at once; those remembered longest go first. */
const capacity = 20_000;

export function recordsOf(o: { db: Db; clock: Clock; ttlMs: number; lockLife: LockLife }): Records {
  const entries = new Map<string, Entry>();
  const instances = new Map<number, string>();
  const questions = new Map<string, Question>();

  const drop = (instanceId: string) => {
    const vmid = entries.get(instanceId)?.known.server.vmid;
    entries.delete(instanceId);
    if (vmid !== undefined && instances.get(vmid) === instanceId) instances.delete(vmid);
  };

  const keep = (known: Known, readAt: number) => {
    const { instanceId, vmid } = known.server;
    drop(instanceId);
    entries.set(instanceId, { known, readAt });
    instances.set(vmid, instanceId);
    for (const oldest of entries.keys()) {
      if (entries.size <= capacity) break;
      drop(oldest);
    }
  };

  const recall = (key: ServerKey): Known | undefined => {
    const instanceId = "instanceId" in key ? key.instanceId : instances.get(key.vmid);
    const entry = instanceId === undefined ? undefined : entries.get(instanceId);
    return entry && o.clock.now() - entry.readAt < o.ttlMs ? entry.known : undefined;
  };

  const ask = (key: ServerKey): Question => {
    const readAt = o.clock.now();
    const answer = readKnown(o.db, key, o.lockLife);
    const question: Question = { answer, outdated: false };
    const name = JSON.stringify(key);
    questions.set(name, question);
    const settle = (known?: Known) => {
      if (questions.get(name) === question) questions.delete(name);
      if (known && !question.outdated) keep(known, readAt);
    };
    answer.then(settle, () => settle());
    return question;
  };

  return {
    async find(key) {
      return recall(key) ?? (questions.get(JSON.stringify(key)) ?? ask(key)).answer;
    },
    forget(what) {
      // What is being read may be of the server or the account that was written about: it is not known yet.
      for (const question of questions.values()) question.outdated = true;
      questions.clear();
      if ("instanceId" in what) return drop(what.instanceId);
      for (const [instanceId, { known }] of entries)
        if (known.server.customerId === what.customerId) drop(instanceId);
    },
  };
}
