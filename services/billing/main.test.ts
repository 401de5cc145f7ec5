import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { gateway } from "#gateway/auth/contract.ts";
import { client } from "#shared/bus/client.ts";
import { publisher } from "#shared/bus/publisher.ts";
import type { Actor } from "#shared/contract/actor.ts";
import { newId } from "#shared/ids/ids.ts";
import { type Mesh, meshForTest } from "#shared/testing/mesh.ts";
import { postgresForTest, type TestPostgres } from "#shared/testing/postgres.ts";
import { provisioning } from "#services/provisioning/contract.ts";
import { servers } from "#services/servers/contract.ts";
import { billing } from "./contract.ts";

// The real process on a real bus, under its own user: what its parts cannot show one by one.

let mesh: Mesh;
let pg: TestPostgres;
beforeAll(async () => {
  const made = [
    meshForTest([gateway, servers, provisioning, billing]),
    postgresForTest({ schema: "billing" }),
  ] as const;
  [mesh, pg] = await Promise.all(made);
});
afterAll(async () => {
  await mesh[Symbol.asyncDispose]();
  await pg[Symbol.asyncDispose]();
});

const children: Bun.Subprocess[] = [];
afterEach(() => children.forEach((child) => child.kill("SIGKILL")));

function start(): Bun.Subprocess {
  const child = Bun.spawn(
    [process.execPath, "--no-env-file", new URL("./main.ts", import.meta.url).pathname],
    {
      env: {
        NATS_URL: mesh.server.url,
        NATS_USER: "billing",
        NATS_PASSWORD: "billing-password",
        DATABASE_URL: pg.url,
        LOG_LEVEL: "warn",
        BILLING_SWEEP_MS: "100",
        BILLING_LEASE_MS: "300",
      },
      stdio: ["ignore", "ignore", "inherit"],
    },
  );
  children.push(child);
  return child;
}

/** Asks until the answer is right: while the process is away, every call is refused. */
async function until<T>(ask: () => Promise<T>, right: (answer: T) => boolean): Promise<T> {
  for (const end = Date.now() + 20_000; Date.now() < end;) {
    const answer = await ask().catch(() => undefined);
    if (answer !== undefined && right(answer)) return answer;
    await Bun.sleep(20);
  }
  throw new Error("the answer did not become right");
}

test("an override ends by itself although the process was killed meanwhile; an event opened the account", async () => {
  const ada: Actor = { kind: "account", id: "acc_ada", role: "customer", via: "ses_2" };
  const operator: Actor = { kind: "account", id: "acc_operator", role: "operator", via: "ses_1" };
  const asks = client(await mesh.bus("gateway"), billing);
  const data = { accountId: "acc_ada", email: "ada@example.org", username: "ada", role: "customer" };
  const event = { id: newId("evt"), key: "acc_ada", version: 1, at: new Date().toISOString(), data };
  await publisher(await mesh.bus("admin")).publish(
    `${gateway.events.accountRegistered.subject}.acc_ada`,
    event.id,
    JSON.stringify(event),
  );
  const first = start();
  let ends = 0;
  const suspend = () => {
    // Counted from each attempt: the process may take long to start, and an end that has passed is refused.
    ends = Date.now() + 2_000;
    const override = {
      id: "acc_ada",
      serverBillingState: "suspended_shutdown",
      reason: "a test",
      until: new Date(ends).toISOString(),
    } as const;
    return asks.overrideAccount(override, { actor: operator });
  };
  const put = await until(suspend, ({ serverBillingState }) => serverBillingState === "suspended_shutdown");
  first.kill("SIGKILL");
  await first.exited;
  const second = start();
  const lifted = await until(
    () => asks.getBilling({}, { actor: ada }),
    ({ serverBillingState }) => serverBillingState === "allowed",
  );
  expect(lifted.version).toBe(put.version + 1);
  expect(Date.now()).toBeGreaterThanOrEqual(ends);
  second.kill("SIGTERM");
  expect(await second.exited).toBe(0);
}, 60_000);
