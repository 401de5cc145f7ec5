import type { ServerBillingState } from "#services/billing/contract.ts";
import type { ServerAction, ServerFacts } from "#shared/contract/authority.ts";
import { coreFault } from "#shared/fault/core.ts";
import type { WorkflowDeps } from "../workflows/deps.ts";
import { authorityForTest, locksForTest, refusal } from "./authority.ts";
import { troubles } from "./trouble.ts";

type Servers = WorkflowDeps["servers"];
type Input<K extends keyof Servers> = Parameters<Servers[K]>[0];
type Row = Awaited<ReturnType<Servers["activate"]>>;
type InventoryRow = Awaited<ReturnType<Servers["listInventory"]>>["rows"][number];

type Range = Awaited<ReturnType<Servers["listInventory"]>>["ranges"][number];

/** Numbers that are handed out, as the inventory names them. */
const ranges: Range[] = [
  { ctype: "game", first: 5000, last: 5999 },
  { ctype: "dev", first: 6000, last: 6999 },
];

/** The registry of servers in memory, with the rules of the real one. */
export function registryForTest() {
  const reserved = new Map<string, { vmid: number; operationId: string }>();
  const agents = new Map<string, Input<"activate">["agent"]>();
  const live = new Map<string, Row>();
  const archived = new Map<string, Row>();
  const resting = new Set<string>();
  const foreign = new Set<number>();
  const billing = new Map<string, ServerBillingState>();
  const locks = locksForTest();
  const trouble = troubles();

  let pretended: { rows: InventoryRow[]; ranges: Range[] } | undefined;
  const inventoryRow = (instanceId: string, vmid: number): InventoryRow => {
    const known = live.get(instanceId) ?? archived.get(instanceId);
    const { customerId = null, ctype = "game", node = null, hostname = null } = known ?? {};
    const row = live.get(instanceId);
    const there = row ? (row.removing ? "removing" : "live") : known ? "archived" : "reserved";
    const state = resting.has(instanceId) ? "resting" : there;
    return { vmid, instanceId, customerId, ctype, node, hostname, state };
  };

  const rules = {
    reserve: ({ instanceId, operationId, ctype, exclude = [] }: Input<"reserve">) => {
      for (const vmid of exclude) foreign.add(vmid);
      const mine = reserved.get(instanceId);
      if (mine && !foreign.has(mine.vmid)) return { vmid: mine.vmid, instanceId };
      const taken = new Set([...reserved.values()].map(({ vmid }) => vmid));
      let vmid = ctype === "game" ? 5000 : 6000;
      while (taken.has(vmid) || foreign.has(vmid)) vmid++;
      reserved.set(instanceId, { vmid, operationId });
      return { vmid, instanceId };
    },
    release: ({ instanceId }: Input<"release">) => {
      if (live.has(instanceId)) throw refusal("servers.still_live", 409);
      resting.add(instanceId);
      return { released: reserved.has(instanceId) };
    },
    activate: (input: Input<"activate">) => {
      const { operationId: _, agent, ...facts } = input;
      const known = live.get(input.instanceId);
      if (known) return known;
      if (reserved.get(input.instanceId)?.vmid !== input.vmid) throw refusal("servers.not_reserved", 409);
      const row: Row = {
        ...facts,
        desired: "running",
        hostDesired: "running",
        removing: false,
        version: 1,
      };
      live.set(input.instanceId, row);
      agents.set(input.instanceId, agent);
      return row;
    },
    archive: ({ instanceId, keepRow = false }: Input<"archive">) => {
      const row = live.get(instanceId);
      if (row && !archived.has(instanceId)) archived.set(instanceId, structuredClone(row));
      if (row && keepRow) row.removing = true;
      // With the row goes its lock.
      if (!keepRow && live.delete(instanceId)) locks.locks.delete(instanceId);
      return { archived: archived.has(instanceId) };
    },
    mergePayload: ({ instanceId, key, value }: Input<"mergePayload">) => {
      const row = live.get(instanceId);
      if (!row) throw refusal("servers.not_found", 404);
      row.payload = { ...row.payload, [key]: value };
      return { version: ++row.version };
    },
    findInstance: ({ instanceId }: Input<"findInstance">) => ({
      instance: live.get(instanceId) ?? null,
      archived: archived.has(instanceId),
      archivedInstance: archived.get(instanceId) ?? null,
    }),
    setHostDesired: ({ desired, ...lock }: Input<"setHostDesired">) => {
      const row = live.get(lock.instanceId);
      if (!row || !locks.held(lock)) throw refusal("servers.stale", 409);
      row.hostDesired = desired;
      return { version: ++row.version };
    },
    setAddress: ({ ip, agentAddress, ...lock }: Input<"setAddress">) => {
      const row = live.get(lock.instanceId);
      const agent = agents.get(lock.instanceId);
      if (!row || !agent || !locks.held(lock)) throw refusal("servers.stale", 409);
      row.ip = ip;
      agents.set(lock.instanceId, { ...agent, address: agentAddress });
      return { version: ++row.version };
    },
    heartbeat: (beat: Input<"heartbeat">) => ({ held: locks.beat(beat) }),
    unlock: (lock: Input<"unlock">) => ({ released: locks.unlock(lock) }),
    listInventory: ({ after = 0, limit = 1_000 }: Input<"listInventory">) => {
      const all = pretended?.rows ?? [...reserved].map(([id, { vmid }]) => inventoryRow(id, vmid));
      const found = all.filter(({ vmid }) => vmid > after).toSorted((a, b) => a.vmid - b.vmid);
      const rows = found.slice(0, limit);
      const next = rows.length < found.length ? (rows.at(-1)?.vmid ?? null) : null;
      return { rows, next, ranges: pretended?.ranges ?? ranges };
    },
  };

  const troubled =
    <I extends object, O>(name: string, rule: (input: I) => O) =>
    async (input: I): Promise<O> => {
      const { mishap, met } = await trouble.meet(name, "instanceId" in input ? String(input.instanceId) : "");
      if (mishap === "fails") met();
      if (mishap === "fails") throw coreFault("internal.error");
      if (mishap === "away" || mishap === "lost before") met();
      if (mishap === "away" || mishap === "lost before") throw coreFault("service.timeout");
      const answer = rule(input);
      met();
      if (mishap === "held" || mishap === "stuck") await trouble.held;
      if (mishap === "lost after") throw coreFault("service.timeout");
      return answer;
    };

  const servers: Servers = {
    reserve: troubled("reserve", rules.reserve),
    release: troubled("release", rules.release),
    activate: troubled("activate", rules.activate),
    archive: troubled("archive", rules.archive),
    mergePayload: troubled("mergePayload", rules.mergePayload),
    findInstance: troubled("findInstance", rules.findInstance),
    setHostDesired: troubled("setHostDesired", rules.setHostDesired),
    setAddress: troubled("setAddress", rules.setAddress),
    heartbeat: troubled("heartbeat", rules.heartbeat),
    unlock: troubled("unlock", rules.unlock),
    listInventory: troubled("listInventory", rules.listInventory),
  };
  const find = (serverId: string, action: ServerAction): ServerFacts | undefined => {
    // A teardown that has not ended is found in the archive, for those who would end it.
    const unfinished = [...archived].flatMap(([id, each]) => (resting.has(id) ? [] : [each]));
    const candidates = [...live.values(), ...(action === "server.delete" ? unfinished : [])];
    const row = candidates.find(({ vmid }) => String(vmid) === serverId);
    if (!row) return undefined;
    const { instanceId, vmid, customerId, ctype, name, hostname, node } = row;
    return { instanceId, vmid, customerId, ctype, name, hostname, node };
  };
  return {
    servers,
    authority: authorityForTest({ locks, billing, find }),
    /** Operation locks, by instance. */
    locks: locks.locks,
    /** Takes the lock of a server for an operation, as an authorization does; rejects when another one has it. */
    lock(instanceId: string, operationId: string) {
      const taken = locks.take(instanceId, operationId, "test");
      if (!taken) throw refusal("servers.busy", 409);
      return { operationId, fence: taken.fence };
    },
    /** Every heartbeat of a lock so far. */
    beats: locks.beats,
    /** Billing states of accounts; `allowed` where nothing else is said. */
    billing,
    trouble,
    live,
    archived,
    /** Instances whose number was given back. */
    resting,
    /** Lists these rows and no others, until the returned function is called. */
    pretend(rows: InventoryRow[], within: Range[]): () => void {
      pretended = { rows, ranges: within };
      return () => (pretended = undefined);
    },
    /** As at the beginning: nobody has a number. */
    clear() {
      for (const map of [reserved, live, archived, agents, locks.locks]) map.clear();
      resting.clear();
    },
    /** How the registry would reach a server's agent. */
    agents,
    /** VMIDs that nobody may have now: reserved for, or used by, an instance that is not given back. */
    held: () => [...reserved].filter(([id]) => !resting.has(id)).map(([, { vmid }]) => vmid),
  };
}
export type TestRegistry = ReturnType<typeof registryForTest>;
