import { afterAll, beforeAll, expect, test } from "bun:test";
import { client } from "#shared/bus/client.ts";
import type { Actor } from "#shared/contract/actor.ts";
import { servers } from "#services/servers/contract.ts";
import { type StubAgents, stubAgents } from "./polling/agents.ts";
import { accountsWith, type AgentOf, serversProcess } from "./polling/servers.ts";

// 500 agents polled by the real service: ten minutes at the product's own pace when FULL is set, else twenty seconds at a
// quicker one. Halfway, 50 of them go away: half refuse connections, half take a request and never answer.

const full = Boolean(process.env["FULL"]);
const pace = full
  ? {
      pollMs: 5_000,
      callMs: 2_000,
      ttlMs: 15_000,
      runMs: 600_000,
      figureMs: 60_000,
      lookMs: 1_000,
      growthMiB: 16,
    }
  : { pollMs: 2_000, callMs: 800, ttlMs: 6_000, runMs: 20_000, figureMs: 5_000, lookMs: 250, growthMiB: 40 };
const agents = 500;
const leaving = 50;
const accounts = 10;

type Sample = { at: number; resident: number; listMs: number[]; wronglyOffline: string[]; online: number };

let service: Awaited<ReturnType<typeof serversProcess>>;
let [staying, silent, refusing]: StubAgents[] = [];
beforeAll(async () => {
  [staying, silent, refusing] = [stubAgents(), stubAgents(), stubAgents()];
  service = await serversProcess({
    AGENT_POLL_MS: String(pace.pollMs),
    AGENT_CALL_MS: String(pace.callMs),
    AGENT_TTL_MS: String(pace.ttlMs),
    STATUS_FRESH_MS: String(pace.pollMs),
  });
}, 60_000);
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  for (const each of [staying, silent, refusing]) await each?.stop();
});

/** The agents by name, and those among them that will leave. */
function allAgents(): { all: AgentOf[]; leavers: Map<string, AgentOf> } {
  const all = Array.from({ length: agents }, (_, i) => {
    const at = i >= leaving ? staying : i % 2 === 0 ? silent : refusing;
    return { name: `agent ${i}`, address: at?.address ?? "", token: `token-of-agent-${i}` };
  });
  return { all, leavers: new Map(all.slice(0, leaving).map((agent) => [agent.name, agent])) };
}

/** One look at every account's list, as its owner: how long each took, and who is shown as what. */
async function look(owners: readonly Actor[], mayBeOffline: (name: string) => boolean): Promise<Sample> {
  const asks = client(await service.mesh.bus("gateway"), servers);
  const sample: Sample = { at: 0, resident: service.resident(), listMs: [], wronglyOffline: [], online: 0 };
  for (const actor of owners) {
    const began = performance.now();
    const { servers: rows } = await asks.listServers({}, { actor });
    sample.listMs.push(performance.now() - began);
    for (const { name, agentStatus } of rows) {
      if (agentStatus === "online") sample.online++;
      else if (!mayBeOffline(name)) sample.wronglyOffline.push(name);
    }
  }
  return sample;
}

const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const quantile = (values: number[], q: number) =>
  values.toSorted((a, b) => a - b)[Math.ceil(values.length * q) - 1] ?? 0;

/** One figure for each stretch of time, printed as soon as it is known. */
function figureOf(samples: Sample[], name: string): number {
  const lists = samples.flatMap(({ listMs }) => listMs);
  const resident = mean(samples.map((sample) => sample.resident));
  const online = samples.at(-1)?.online ?? 0;
  process.stdout.write(
    `${name}: resident ${resident.toFixed(1)} MiB, online ${online} of ${agents}, ` +
      `list p50 ${quantile(lists, 0.5).toFixed(1)} ms, p99 ${quantile(lists, 0.99).toFixed(1)} ms\n`,
  );
  return resident;
}

test(
  `${agents} agents, ${leaving} of which go away: memory stays flat, the living stay online, the list stays fast`,
  async () => {
    const { all, leavers } = allAgents();
    const owners = await accountsWith(service.mesh, { accounts, agents: all });
    const everyone = () => true;
    while ((await look(owners, everyone)).online < agents) await Bun.sleep(pace.lookMs);

    const began = performance.now();
    const elapsed = () => performance.now() - began;
    const samples: Sample[] = [];
    const figures: number[] = [];
    let gone = false;
    for (let figure = 1; elapsed() < pace.runMs; figure++) {
      const stretch: Sample[] = [];
      while (elapsed() < figure * pace.figureMs) {
        if (!gone && elapsed() >= pace.runMs / 2) {
          gone = true;
          silent?.silence([...leavers.values()].map(({ token }) => token));
          await refusing?.stop();
        }
        stretch.push({ ...(await look(owners, (name) => gone && leavers.has(name))), at: elapsed() });
        await Bun.sleep(pace.lookMs);
      }
      samples.push(...stretch);
      figures.push(figureOf(stretch, `${(figure * pace.figureMs) / 1000} s`));
    }

    expect(samples.flatMap(({ wronglyOffline }) => wronglyOffline)).toEqual([]);
    expect(samples.at(-1)?.online).toBe(agents - leaving);
    // A list that waited for one silent agent would take as long as a call may, and every account has some. The median,
    // since the slowest lists tell how busy this machine is.
    const lists = samples.filter(({ at }) => at > pace.runMs / 2).flatMap(({ listMs }) => listMs);
    expect(quantile(lists, 0.5)).toBeLessThan(pace.callMs / 2);
    // The first stretch fills caches; after it nothing grows, whoever goes away.
    const later = figures.slice(Math.ceil(figures.length / 2));
    expect(mean(later) - (figures[1] ?? 0)).toBeLessThan(pace.growthMiB);

    const { code, log } = await service.stop();
    expect(code).toBe(0);
    expect(log).not.toContain('"level":50');
    expect(log).not.toContain("token-of-agent");
  },
  pace.runMs + 60_000,
);
