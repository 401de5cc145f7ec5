import { type Api, customer } from "#e2e/client.ts";
import { expect, finish, gameServer, type Server, smallGame, test } from "#e2e/fixtures.ts";
import { containersOf } from "#e2e/host.ts";
import { type RunningStack, startStack, until } from "#e2e/stack.ts";
import { type Ask, ask, type Seen, wrongRefusal } from "./answers.ts";
import { agentOf, signal, takeAway, type Victim } from "./victims.ts";

// What callers are told while a neighbour is away, and that everything works again as soon as it is back.

const full = process.env["FULL"] === "1";

/** `timeoutMs`: as the route's contract says; 5 s for the health page, which asks each service for one. */
const routes = {
  list: { method: "GET", path: "/api/servers", timeoutMs: 3_000 },
  status: { method: "GET", path: "/api/servers/:id/status", timeoutMs: 3_000 },
  create: { method: "POST", path: "/api/servers", timeoutMs: 5_000 },
  power: { method: "POST", path: "/api/servers/:id/game/start", timeoutMs: 12_000 },
  me: { method: "GET", path: "/api/auth/me", timeoutMs: 3_000 },
  login: { method: "POST", path: "/api/auth/login", timeoutMs: 5_000 },
  billing: { method: "GET", path: "/api/billing", timeoutMs: 2_000 },
  catalog: { method: "GET", path: "/api/catalog/game", timeoutMs: 3_000 },
  health: { method: "GET", path: "/api/health", timeoutMs: 5_000 },
} as const;
type Name = keyof typeof routes;

/**
 * `refused`: what is served no more; everything else is, but for `either`, which is served as long as it is remembered.
 * `degraded`: the health page says 503.
 */
type Case = {
  victim: Victim;
  how: "silent" | "gone";
  refused: readonly Name[];
  either?: readonly Name[];
  degraded?: true;
};
const overBus = ["list", "status", "create", "power", "billing", "catalog"] as const;
const withRows = ["create", "power", "me", "login", "billing"] as const;
const observed = ["list", "status"] as const;
const cases: Case[] = [
  { victim: "nats", how: "gone", refused: overBus, degraded: true },
  { victim: "nats", how: "silent", refused: overBus, degraded: true },
  { victim: "postgres", how: "gone", refused: withRows, either: observed },
  { victim: "postgres", how: "silent", refused: withRows, either: observed },
  { victim: "servers", how: "gone", refused: [...observed, "power"], degraded: true },
  { victim: "servers", how: "silent", refused: [...observed, "power"], degraded: true },
  { victim: "provisioning", how: "gone", refused: ["create", "catalog"], degraded: true },
  { victim: "provisioning", how: "silent", refused: ["create", "catalog"], degraded: true },
  // An account that provisioning has not heard of yet needs its plan told before its first creation.
  { victim: "billing", how: "gone", refused: ["billing"], either: ["create"], degraded: true },
  { victim: "billing", how: "silent", refused: ["billing"], either: ["create"], degraded: true },
  { victim: "local-host", how: "gone", refused: [] },
  { victim: "local-host", how: "silent", refused: [] },
];
// Waits for silent neighbours take the whole time of a route, and servers take a while to be made: most of both is left to
// the full run.
const creating: readonly Victim[] = ["nats", "postgres", "provisioning", "local-host"];
const slow: readonly Name[] = ["create", "power", "login"];
const asked = ({ victim, how }: Case): Name[] =>
  (Object.keys(routes) as Name[]).filter((name) => {
    if (full) return true;
    if (name === "create") return how === "gone" && creating.includes(victim);
    return how === "gone" || !slow.includes(name);
  });

let stack: RunningStack;
let ada: Api & { accountId: string; email: string };
let server: Server;
let creator: Api & { accountId: string };
const creators: (typeof creator)[] = [];
test.beforeAll(async () => {
  stack = await startStack({ env: { POWER_CALL_MS: "1000" } });
  ada = await customer(stack.url);
  creator = await customer(stack.url);
  server = await gameServer(ada);
});
test.afterAll(async () => await stack.stop());

const key = { "idempotency-key": "made-in-an-outage" };

function asks(name: Name): { token: string; request: Ask } {
  const { method, path } = routes[name];
  const request: Ask = { method, path: path.replace(":id", server.id) };
  if (name === "create")
    return { token: creator.token, request: { ...request, body: smallGame, headers: key } };
  if (name !== "login") return { token: ada.token, request };
  return {
    token: "",
    request: { ...request, body: { identifier: ada.email, password: "correct horse battery staple" } },
  };
}

const call = (name: Name): Promise<Seen> => {
  const { token, request } = asks(name);
  return ask(stack.url, token, request);
};
const skipped = ({ victim, how }: Case) =>
  !full && how === "silent" && (victim === "provisioning" || victim === "billing");
for (const each of cases.filter((one) => !skipped(one))) {
  const { victim, how, refused, either = [], degraded } = each;
  const names = asked(each);
  const lost = names.filter((name) => refused.includes(name)).join(", ") || "nothing";
  test(`${victim} ${how}: ${lost} refused with 503 or 504, the rest served; then everything again`, async () => {
    // A customer of its own: a creation that was cut off must be neither lost nor made twice.
    creator = await customer(stack.url);
    await creator.get("/api/servers");
    if (names.includes("create")) creators.push(creator);
    const giveBack = await takeAway(stack, victim, how);
    let answers: [Name, Seen][];
    try {
      answers = await Promise.all(names.map(async (name): Promise<[Name, Seen]> => [name, await call(name)]));
    } finally {
      await giveBack();
    }
    for (const [name, seen] of answers) {
      inTime(name, seen);
      if (name === "health") expect.soft(seen.status, shown(name, seen)).toBe(degraded ? 503 : 200);
      else if (either.includes(name) && served(seen)) continue;
      else if (refused.includes(name) || either.includes(name))
        expect.soft(wrongRefusal(seen), name).toBeUndefined();
      else expect.soft(served(seen), shown(name, seen)).toBe(true);
    }
    await allServedAgain(names);
  });
}

test("a silent agent: its server is shown and said to be offline, power is refused with 504; then everything again", async () => {
  const agent = agentOf(stack, server.id);
  expect(agent).toHaveLength(1);
  signal(agent, "SIGSTOP");
  try {
    const names = ["list", "status", "power"] as const;
    const [list, status, power] = await Promise.all(names.map(call));
    for (const [name, seen] of [
      ["list", list],
      ["status", status],
      ["power", power],
    ] as const)
      inTime(name, seen as Seen);
    expect(served(list as Seen) && served(status as Seen)).toBe(true);
    expect(wrongRefusal(power as Seen)).toBeUndefined();
    expect(power?.body["code"]).toBe("upstream.timeout");
    await until(
      async () => ((await call("status")).body["agent"] as { status: string }).status === "offline",
      20_000,
      "the agent to be offline",
    );
  } finally {
    signal(agent, "SIGCONT");
  }
  await allServedAgain(["list", "status", "power"]);
});

test("each creation of an outage, sent again with its key, has made one server, and one container", async () => {
  const containers = async () => (await containersOf(stack.home)).map(({ description }) => description);
  for (const each of creators) {
    const again = await each.send<{ operationId: string }>("POST", "/api/servers", smallGame, key);
    expect(again.status).toBe(202);
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    const { operationId } = again.body;
    expect(await finish(each, operationId)).toMatchObject({ status: "succeeded", error: null });
    expect((await each.get<{ servers: object[] }>("/api/servers")).body.servers).toHaveLength(1);
    expect(
      (await containers()).filter((description) => description.endsWith(`:${operationId}`)),
    ).toHaveLength(1);
  }
  expect(await containers()).toHaveLength(creators.length + 1);
});

const served = ({ status }: Seen) => status >= 200 && status < 300;
const shown = (name: Name, { status, body, lost }: Seen) =>
  `${name} answered ${status} ${JSON.stringify(body).slice(0, 300)} ${lost ?? ""}`;

function inTime(name: Name, { ms }: Seen): void {
  expect.soft(ms, `${name} took ${ms.toFixed(0)} ms`).toBeLessThan(routes[name].timeoutMs + 1_000);
}

async function allServedAgain(names: readonly Name[]): Promise<void> {
  const since = performance.now();
  for (const name of names) {
    let last = await call(name);
    await until(async () => served(last) || served((last = await call(name))), 4_000).catch(() => {});
    expect.soft(served(last), `afterwards ${shown(name, last)}`).toBe(true);
  }
  expect.soft(performance.now() - since, "milliseconds until everything was served").toBeLessThan(2_000);
}
