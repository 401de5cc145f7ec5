import { join } from "node:path";
import { type Api, customer } from "#e2e/client.ts";
import { expect, finish, gameServer, type Server, test } from "#e2e/fixtures.ts";
import { containersOf } from "#e2e/host.ts";
import { ping } from "#e2e/minecraft.ts";
import { processes, type RunningStack, startStack, until } from "#e2e/stack.ts";

// Nobody polls here: what the servers know is what status requests have asked for, so that calls can be counted.
const freshMs = 800;
const ttlMs = 2_500;

type Status = {
  agentReady: boolean;
  connectable: boolean;
  readiness: { ready: boolean; stale: boolean; ageMs: number | null; observedAt: string | null };
  agent: { status: string };
  host: { status: string };
};

let stack: RunningStack;
let ada: Api;
let server: Server;
let agent: string;

test.beforeAll(async () => {
  stack = await startStack({
    env: {
      LOCAL_HOST_AGENT_ENTRY: join(import.meta.dirname, "../sims/moody-agent.ts"),
      LOCAL_HOST_RESTART_MS: "60000",
      AGENT_POLL_MS: "3600000",
      AGENT_CALL_MS: "300",
      AGENT_TTL_MS: String(ttlMs),
      STATUS_FRESH_MS: String(freshMs),
      POWER_POLL_MS: "200",
    },
  });
  ada = await customer(stack.url);
  server = await gameServer(ada);
  const container = (await containersOf(stack.home)).find(({ vmid }) => String(vmid) === server.id);
  agent = `http://127.0.0.1:${container?.agentPort}`;
});
test.afterAll(() => stack.stop());

const be = (mood: string) => fetch(`${agent}/mood`, { method: "POST", body: JSON.stringify({ mood }) });
const asked = async () => ((await (await fetch(`${agent}/mood`)).json()) as { asked: number }).asked;
const status = async () => (await ada.get<Status>(`/api/servers/${server.id}/status`)).body;

/** agentReady as the list, the row and the status show it. */
async function everywhere(): Promise<boolean[]> {
  const { agentReady } = await status();
  const row = (await ada.get<{ agentReady: boolean }>(`/api/servers/${server.id}`)).body;
  const { servers } = (await ada.get<{ servers: { id: string; agentReady: boolean }[] }>("/api/servers"))
    .body;
  return [agentReady, row.agentReady, ...servers.map((each) => each.agentReady)];
}

async function ready(): Promise<void> {
  await be("well");
  await until(async () => (await status()).agentReady, 10_000, "the server to be ready");
}

const wrong = [
  "not ready",
  "unavailable",
  "html",
  "html that fails",
  "a bare true",
  "a word",
  "nothing",
  "silence",
];
for (const mood of wrong)
  test(`/ready answers ${mood}: not ready in status, row and list alike`, async () => {
    await ready();
    expect(await everywhere()).toEqual([true, true, true]);
    await be(mood);
    await until(async () => !(await status()).agentReady, 5_000, "the mood to be noticed");
    expect(await everywhere()).toEqual([false, false, false]);
    expect(await status()).toMatchObject({
      connectable: false,
      host: { status: "online" },
      readiness: { ready: false },
    });
  });

test("a sample older than its time to live is stale, and no longer ready", async () => {
  await ready();
  expect((await status()).readiness).toMatchObject({ ready: true, stale: false });
  await be("all silent");
  await until(async () => (await status()).readiness.stale, ttlMs + 5_000, "the sample to be stale");
  expect(await everywhere()).toEqual([false, false, false]);
  expect((await status()).readiness.ageMs).toBeGreaterThan(ttlMs);
  await ready();
  expect((await status()).readiness).toMatchObject({ ready: true, stale: false });
});

test("without any request a sample grows old in the list, too, which asks no agent", async () => {
  await ready();
  const before = await asked();
  await until(
    async () => {
      const { servers } = (await ada.get<{ servers: { agentReady: boolean }[] }>("/api/servers")).body;
      return servers[0]?.agentReady === false;
    },
    ttlMs + 5_000,
    "the list to forget",
  );
  expect(await asked()).toBe(before);
});

test("a hundred status requests at once ask the agent once", async () => {
  await ready();
  const old = await status();
  await new Promise((resolve) => setTimeout(resolve, freshMs + 100));
  const before = await asked();
  const answers = await Promise.all(
    Array.from({ length: 100 }, () => ada.get<Status>(`/api/servers/${server.id}/status`)),
  );
  expect(new Set(answers.map(({ status: code }) => code))).toEqual(new Set([200]));
  expect(new Set(answers.map(({ body }) => body.readiness.observedAt)).size).toBe(1);
  expect(answers[0]?.body.readiness.observedAt).not.toBe(old.readiness.observedAt);
  expect((await asked()) - before).toBe(1);
});

test("Start works while the agent says that it is not ready", async () => {
  await ready();
  const stop = await ada.send<{ operation: { id: string } }>("POST", `/api/servers/${server.id}/game/stop`);
  expect(await finish(ada, stop.body.operation.id)).toMatchObject({ status: "succeeded" });
  await be("not ready");
  await until(async () => !(await status()).agentReady, 5_000);
  const start = await ada.send<{ operation: { id: string } }>("POST", `/api/servers/${server.id}/game/start`);
  expect(start.status, JSON.stringify(start.body)).toBe(202);
  await until(
    () =>
      ping(server.address, "1.16.5").then(
        () => true,
        () => false,
      ),
    15_000,
    "the game to answer",
  );
  expect(await everywhere()).toEqual([false, false, false]);
  await be("well");
  expect(await finish(ada, start.body.operation.id)).toMatchObject({ status: "succeeded" });
});

test("a dead agent: not ready, host offline, and the power buttons say what is wrong", async () => {
  await ready();
  // Other stacks may run on this machine, with servers of the same number.
  const own = processes().find(({ command }) => {
    return command.includes(stack.home) && command.endsWith(`/containers/${server.id}`);
  });
  expect(own, "the agent's process").toBeDefined();
  process.kill(own?.pid ?? 0, "SIGKILL");
  await until(async () => !(await status()).agentReady, 5_000, "the death to be noticed");
  expect(await everywhere()).toEqual([false, false, false]);
  expect(await status()).toMatchObject({ agent: { status: "offline" }, host: { status: "offline" } });
  const start = await ada.send("POST", `/api/servers/${server.id}/game/restart`);
  expect(start).toMatchObject({ status: 502, body: { code: "upstream.refused", retryable: true } });
  const after = await ada.get<{ operationInProgress: boolean }>(`/api/servers/${server.id}`);
  expect(after.body.operationInProgress).toBe(false);
});
