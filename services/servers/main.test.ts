import { afterAll, beforeAll, expect, test } from "bun:test";
import { gateway } from "#gateway/auth/contract.ts";
import { client } from "#shared/bus/client.ts";
import { publisher } from "#shared/bus/publisher.ts";
import { newId, newInstanceId } from "#shared/ids/ids.ts";
import { type Mesh, meshForTest } from "#shared/testing/mesh.ts";
import { postgresForTest, type TestPostgres } from "#shared/testing/postgres.ts";
import { type AccountState, billing } from "#services/billing/contract.ts";
import { provisioning } from "#services/provisioning/contract.ts";
import { servers } from "./contract.ts";
import { stubAgent } from "./testing/agent.ts";
import { account, accountState, eventually, until } from "./testing/servers.ts";

// The real process on a real bus, under its own user: what its parts cannot show one by one.

let mesh: Mesh;
let pg: TestPostgres;
beforeAll(async () => {
  const made = [
    meshForTest([gateway, servers, provisioning, billing]),
    postgresForTest({ schema: "servers" }),
  ] as const;
  [mesh, pg] = await Promise.all(made);
});
afterAll(async () => {
  await mesh[Symbol.asyncDispose]();
  await pg[Symbol.asyncDispose]();
});

function start() {
  const child = Bun.spawn(
    [process.execPath, "--no-env-file", new URL("./main.ts", import.meta.url).pathname],
    {
      env: {
        NATS_URL: mesh.server.url,
        NATS_USER: "servers",
        NATS_PASSWORD: "servers-password",
        DATABASE_URL: pg.url,
        LOG_LEVEL: "warn",
        AGENT_POLL_MS: "50",
        POWER_POLL_MS: "20",
        POWER_LEASE_MS: "300",
        POWER_SWEEP_MS: "100",
        VMID_RANGES: "game:7000-7099,dev:7100-7199",
      },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  return {
    child,
    async end(signal: "SIGTERM" | "SIGKILL") {
      child.kill(signal);
      const [code, out, err] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
      return { code, logged: out + err };
    },
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

/** Billing tells everybody of an account. */
async function tell(data: AccountState): Promise<void> {
  const { accountId: key, version } = data;
  const event = { id: newId("evt"), key, version, at: new Date().toISOString(), data };
  const subject = `${billing.events.accountChanged.subject}.${key}`;
  await publisher(await mesh.bus("admin")).publish(subject, event.id, JSON.stringify(event));
}

test("killed during a restart, it ends the operation when it is back; suspension arrives by event and stops the game", async () => {
  await using agent = stubAgent();
  const customerId = "acc_ada";
  const meta = { actor: account(customerId) };
  const asks = client(await mesh.bus("gateway"), servers);
  const makes = client(await mesh.bus("provisioning"), servers);
  await using first = start();

  const ids = { operationId: newId("prv"), instanceId: newInstanceId(), customerId, ctype: "game" as const };
  const { vmid } = await eventually(() => makes.reserve(ids));
  expect(vmid).toBe(7000);
  const engine = { engineType: "minecraft", engineVersion: null, payload: {} };
  const place = { hostname: "srv", node: "local", ip: null, agent: agent.access };
  await makes.activate({ ...ids, vmid, name: "my world", ...place, ...engine });
  await tell(accountState(customerId));
  const id = String(vmid);
  await until(
    () => asks.getStatus({ id }, meta),
    (now) => now.agentReady && now.billing.status === "active",
  );

  agent.startsInto = "starting";
  const { operation } = await asks.restartGame({ id }, meta);
  const killed = await first.end("SIGKILL");
  await using second = start();
  const read = () => asks.getOperation({ operationId: operation.id }, meta);
  expect((await eventually(read)).status).toBe("running");
  Object.assign(agent.says, { state: "running", ready: true });
  await until(read, (now) => now.status === "succeeded");
  expect(agent.calls.get("/restart")).toBe(1);

  await tell(accountState(customerId, { version: 2, serverBillingState: "suspended_shutdown" }));
  await until(
    () => agent.says.state,
    (state) => state === "idle",
  );
  expect(asks.startGame({ id }, meta)).rejects.toMatchObject({
    code: "billing.gated",
    details: { state: "suspended_shutdown" },
  });

  const ended = await second.end("SIGTERM");
  expect(ended.code).toBe(0);
  const logged = killed.logged + ended.logged;
  expect(logged).not.toContain(agent.access.token);
  expect(logged).not.toContain('"level":50');
}, 30_000);
