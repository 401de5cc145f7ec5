import type { CreationDeps } from "../workflows/creation.ts";
import { Fault } from "#shared/fault/fault.ts";
import { coreFault } from "#shared/fault/core.ts";
import { troubles } from "./trouble.ts";

type Servers = CreationDeps["servers"];
type Input<K extends keyof Servers> = Parameters<Servers[K]>[0];
type Row = Awaited<ReturnType<Servers["activate"]>>;

const refusal = (code: string, status: number) => new Fault({ code, status, title: code });

/** The registry of servers in memory, with the rules of the real one. */
export function registryForTest() {
  const reserved = new Map<string, { vmid: number; operationId: string }>();
  const agents = new Map<string, Input<"activate">["agent"]>();
  const live = new Map<string, Row>();
  const archived = new Map<string, Row>();
  const resting = new Set<string>();
  const foreign = new Set<number>();
  const trouble = troubles();

  const rules = {
    reserve: ({ instanceId, operationId, exclude = [] }: Input<"reserve">) => {
      for (const vmid of exclude) foreign.add(vmid);
      const mine = reserved.get(instanceId);
      if (mine && !foreign.has(mine.vmid)) return { vmid: mine.vmid, instanceId };
      const taken = new Set([...reserved.values()].map(({ vmid }) => vmid));
      let vmid = 5000;
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
      const row: Row = { ...facts, desired: "running", version: 1 };
      live.set(input.instanceId, row);
      agents.set(input.instanceId, agent);
      return row;
    },
    archive: ({ instanceId }: Input<"archive">) => {
      const row = live.get(instanceId);
      if (row) archived.set(instanceId, row);
      return { archived: live.delete(instanceId) || archived.has(instanceId) };
    },
    mergePayload: ({ instanceId, key, value }: Input<"mergePayload">) => {
      const row = live.get(instanceId);
      if (!row) throw refusal("servers.not_found", 404);
      row.payload = { ...row.payload, [key]: value };
      return { version: ++row.version };
    },
    findInstance: ({ instanceId }: Input<"findInstance">) => {
      return { instance: live.get(instanceId) ?? null, archived: archived.has(instanceId) };
    },
  };

  const troubled =
    <I, O>(name: string, rule: (input: I) => O) =>
    async (input: I): Promise<O> => {
      const { mishap, met } = await trouble.meet(name);
      if (mishap === "fails") met();
      if (mishap === "fails") throw coreFault("internal.error");
      if (mishap === "away" || mishap === "lost before") met();
      if (mishap === "away" || mishap === "lost before") throw coreFault("service.timeout");
      const answer = rule(input);
      met();
      if (mishap === "held") await trouble.held;
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
  };
  return {
    servers,
    trouble,
    live,
    archived,
    /** How the registry would reach a server's agent. */
    agents,
    /** VMIDs that nobody may have now: reserved for, or used by, an instance that is not given back. */
    held: () => [...reserved].filter(([id]) => !resting.has(id)).map(([, { vmid }]) => vmid),
  };
}
