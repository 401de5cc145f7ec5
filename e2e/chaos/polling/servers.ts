import { readFileSync } from "node:fs";
import { gateway } from "#gateway/auth/contract.ts";
import { billing, type AccountState } from "#services/billing/contract.ts";
import { provisioning } from "#services/provisioning/contract.ts";
import { servers } from "#services/servers/contract.ts";
import { client } from "#shared/bus/client.ts";
import { publisher } from "#shared/bus/publisher.ts";
import type { Actor } from "#shared/contract/actor.ts";
import { newId, newInstanceId } from "#shared/ids/ids.ts";
import { type Mesh, meshForTest } from "#shared/testing/mesh.ts";
import { postgresForTest } from "#shared/testing/postgres.ts";

/** The servers service as its own process, on a real bus and a real database. */
export async function serversProcess(settings: Record<string, string>) {
  const [mesh, pg] = await Promise.all([
    meshForTest([gateway, servers, provisioning, billing]),
    postgresForTest({ schema: "servers" }),
  ]);
  const main = new URL("../../../services/servers/main.ts", import.meta.url).pathname;
  const up = Promise.withResolvers<void>();
  const child = Bun.spawn([process.execPath, "--no-env-file", main], {
    env: {
      NATS_URL: mesh.server.url,
      NATS_USER: "servers",
      NATS_PASSWORD: "servers-password",
      DATABASE_URL: pg.url,
      LOG_LEVEL: "warn",
      ...settings,
    },
    stdio: ["ignore", "pipe", "pipe"],
    ipc: () => up.resolve(),
  });
  const output = Promise.all([child.stdout.text(), child.stderr.text()]);
  void child.exited.then(() => up.reject(new Error("the service ended while it started")));
  await up.promise;
  return {
    mesh,
    /** MiB that the process holds in memory now. */
    resident: () =>
      Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1]) / 1024,
    /** Stops it in order; what it had to complain about. */
    async stop(): Promise<{ code: number; log: string }> {
      child.kill("SIGTERM");
      const code = await child.exited;
      return { code, log: (await output).join("") };
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
      await mesh[Symbol.asyncDispose]();
      await pg[Symbol.asyncDispose]();
    },
  };
}

/** Where an agent is and what it asks for; `name` becomes its server's. */
export type AgentOf = { name: string; address: string; token: string };

/** Accounts in good standing that share these agents evenly, a running server for each. */
export async function accountsWith(
  mesh: Mesh,
  o: { accounts: number; agents: readonly AgentOf[] },
): Promise<Actor[]> {
  const makes = client(await mesh.bus("provisioning"), servers);
  const bus = publisher(await mesh.bus("admin"));
  const accounts = Array.from({ length: o.accounts }, () => newId("acc"));
  for (const accountId of accounts) {
    const event = { id: newId("evt"), key: accountId, version: 1, at: new Date().toISOString() };
    const subject = `${billing.events.accountChanged.subject}.${accountId}`;
    await bus.publish(subject, event.id, JSON.stringify({ ...event, data: goodStanding(accountId) }));
  }
  const waiting = o.agents.map((agent, i) => ({ agent, customerId: accounts[i % accounts.length] ?? "" }));
  async function make(): Promise<void> {
    for (let next = waiting.pop(); next; next = waiting.pop()) {
      const { customerId } = next;
      const { name, ...agent } = next.agent;
      const ids = {
        operationId: newId("prv"),
        instanceId: newInstanceId(),
        customerId,
        ctype: "game" as const,
      };
      const { vmid } = await makes.reserve(ids);
      const place = { hostname: `srv-${vmid}`, node: "local", ip: "127.0.0.1", agent };
      const engine = { engineType: "minecraft", engineVersion: "1.16.5", payload: {} };
      await makes.activate({ ...ids, vmid, name, ...place, ...engine });
    }
  }
  await Promise.all(Array.from({ length: 8 }, make));
  return accounts.map((id) => ({ kind: "account", id, role: "customer", via: "ses_test" }));
}

const goodStanding = (accountId: string): AccountState => ({
  accountId,
  plan: "free",
  billingStatus: "active",
  serverBillingState: "allowed",
  since: "2030-01-01T00:00:00.000Z",
  limits: { servers: 1000, memoryMiB: 1_000_000, backupsPerServer: 3, schedulesPerServer: 1 },
  version: 1,
});
