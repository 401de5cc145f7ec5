import { readdirSync, readlinkSync, rmSync } from "node:fs";
import { join } from "node:path";
import { customer, operator as signIn } from "#e2e/client.ts";
import { expect, gameServer, smallGame, statusUntil, test } from "#e2e/fixtures.ts";
import { processes, type RunningStack, startStack, until } from "#e2e/stack.ts";
import { type Customer, games, Load, workspaces } from "./load.ts";
import { consistent, settledWithin } from "./truth.ts";
import { isBack, kill, takeAway, type Victim } from "./victims.ts";

// Something is killed every few seconds while customers work. Callers are told to try again, and what was accepted is done
// in the end, once.

const full = process.env["FULL"] === "1";
const everyMs = full ? 5_000 : 2_000;
const hits = full ? 12 : 8;
type Hit = Victim | "event store";
const targets: readonly Hit[] = [
  "servers",
  "provisioning",
  "billing",
  "gateway",
  "local-host",
  "nats",
  "postgres",
  "event store",
];

let stack: RunningStack;
test.beforeAll(async () => {
  stack = await startStack();
});
test.afterAll(async () => await stack.stop(true));

test("whatever is killed, callers are told to try again, and what was accepted is done in the end, once", async () => {
  test.setTimeout(hits * everyMs + 150_000);
  const seed = Number(process.env["CHAOS_SEED"] ?? (full ? Math.floor(Math.random() * 2 ** 31) : 1));
  const victims = inRandomOrder(seed);
  process.stdout.write(`CHAOS_SEED=${seed}: ${victims.join(", ")}\n`);

  const outages: { from: number; to: number }[] = [];
  const load = new Load(stack, (from, to) => outages.some((one) => one.from <= to && from <= one.to));
  const orders = [games, games, workspaces];
  const customers: Customer[] = [];
  for (const order of orders) {
    const owner = await customer(stack.url);
    customers.push(owner);
    load.begin(owner, order);
  }
  const openBefore = openFiles(stack.launcherPid);

  for (const target of victims) {
    const hit = performance.now();
    const outage = { from: hit, to: Number.POSITIVE_INFINITY };
    if (target === "gateway") outages.push(outage);
    await strike(target);
    const victim = target === "event store" ? "nats" : target;
    await until(() => isBack(stack, victim), 20_000, `${victim} to be back`);
    outage.to = performance.now() + 100;
    await until(() => performance.now() - hit >= everyMs, everyMs + 1_000);
  }
  const over = performance.now();
  const ending = load.end();
  const ends = await within(
    30_000,
    ending.then(() => settledWithin(30_000, load.accepted)),
    () => `${JSON.stringify([...load.pending], null, 1)}\n${load.wrong.join("\n")}`,
  );
  process.stdout.write(`${summary(load, ends)}, settled after ${Math.round(performance.now() - over)} ms\n`);

  expect(load.wrong).toEqual([]);
  await consistent(stack, customers, ends);
  expect(openFiles(stack.launcherPid)).toBeLessThanOrEqual(openBefore + 2);
  expect(stack.output()).not.toMatch(/Warning|warns of a defect/);
});

test("an event that only the lost store had is published again: a service that was away then learns of it", async () => {
  const ada = await customer(stack.url);
  const operator = await signIn(stack.url, stack.credentials);
  const server = await gameServer(ada);
  const giveBack = await takeAway(stack, "servers", "gone");
  try {
    const path = `/api/admin/billing/accounts/${ada.accountId}/override`;
    const suspended = { serverBillingState: "backup_blocked", reason: "a test of lost events" };
    expect((await operator.send("PUT", path, suspended)).status).toBe(200);
    // Provisioning has read it, so it was in the store; the registry of servers has not. The order is more than the plan
    // allows, so that nothing is made of it before.
    const large = { ...smallGame, memoryMiB: 4096 };
    await until(
      async () => (await ada.send("POST", "/api/servers", large)).status === 402,
      5_000,
      "provisioning to know of the override",
    );
    await loseStore();
  } finally {
    await giveBack();
  }
  await until(() => isBack(stack, "nats"), 20_000, "nats to be back");
  const status = await statusUntil(
    ada,
    server.id,
    ({ billing }) => (billing as { serverState: string } | undefined)?.serverState === "backup_blocked",
    10_000,
  );
  expect(status["billing"]).toMatchObject({ serverState: "backup_blocked" });
});

test("after all that Ctrl-C, which arrives twice, still ends everything in order", async () => {
  process.kill(stack.launcherPid, "SIGINT");
  await stack.stop(false);
  expect(stack.output()).toContain("Stopped.");
  expect(stack.output()).not.toContain("did not stop within");
  const left = processes().filter(
    ({ pid, command }) => command.includes(stack.home) || workingIn(pid).startsWith(stack.home),
  );
  expect(left).toEqual([]);
});

/** Kills the server of the bus and removes what it stored; whoever starts it again starts it empty. */
async function loseStore(): Promise<void> {
  await kill(stack, "nats");
  rmSync(join(stack.home, "nats", "jetstream"), { recursive: true });
}

async function strike(target: Hit): Promise<void> {
  if (target !== "event store") return await kill(stack, target);
  // Its launcher is held meanwhile, or it would be running again before its store is gone.
  const giveBack = await takeAway(stack, "nats", "gone");
  await loseStore();
  await giveBack();
}

/** Each target once before any comes a second time. */
function inRandomOrder(seed: number): Hit[] {
  let state = seed;
  // mulberry32
  const random = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const order: Hit[] = [];
  while (order.length < hits) {
    const rest = [...targets];
    while (rest.length > 0) order.push(...rest.splice(Math.floor(random() * rest.length), 1));
  }
  return order.slice(0, hits);
}

function summary(load: Load, ends: Awaited<ReturnType<typeof settledWithin>>): string {
  const { served, refused, lost, busy } = load.counts;
  const by = (status: string) => [...ends.values()].filter((end) => end.status === status).length;
  return (
    `${served} calls served, ${refused} refused, ${lost} without an answer while the gateway was away, ${busy} busy; ` +
    `${ends.size} operations accepted: ${by("succeeded")} succeeded, ${by("failed")} failed`
  );
}

async function within<T>(ms: number, work: Promise<T>, state: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not settled within ${ms} ms: ${state()}`)), ms);
  });
  return await Promise.race([work, late]).finally(() => clearTimeout(timer));
}

function workingIn(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return ""; // ended, or another user's
  }
}

const openFiles = (pid: number) => readdirSync(`/proc/${pid}/fd`).length;
