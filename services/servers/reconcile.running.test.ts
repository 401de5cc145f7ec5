import { describe, expect, test } from "bun:test";
import { stubAgent } from "./testing/agent.ts";
import { serversForTest, until } from "./testing/servers.ts";

describe("a running service", () => {
  const quick = {
    AGENT_POLL_MS: 20,
    POWER_POLL_MS: 10,
    RECONCILE_SWEEP_MS: 50,
    RECONCILE_RETRY_MS: 50,
    STATUS_FRESH_MS: 10,
  };

  test("a second start of the stack finds the servers again and starts those that should run", async () => {
    await using before = await serversForTest({ config: quick });
    await using agent = stubAgent();
    await using other = stubAgent();
    const game = await before.open({ agent: agent.access });
    const stopped = await before.open({ agent: other.access });
    await before.ask("stopGame", { id: stopped.id }, stopped.owner);
    // The host was restarted: its agents are there again, and no game runs.
    for (const each of [agent, other])
      Object.assign(each.says, { state: "idle", ready: false, startedAt: null });
    await using servers = await serversForTest({ beside: before, running: true, config: quick });
    const status = (id: string) => servers.ask("getStatus", { id });
    await until(
      () => status(game.id),
      (now) => now.status === "running",
    );
    await until(
      () => status(stopped.id),
      (now) => now.status === "stopped",
    );
    expect(agent.calls.get("/start")).toBe(1);
    expect(other.calls.get("/start")).toBeUndefined();
  });

  test("suspension stops what runs; lifting it starts that again, and not what its customer had stopped", async () => {
    await using servers = await serversForTest({ running: true, config: quick });
    await using agent = stubAgent();
    await using other = stubAgent();
    const customerId = "acc_1";
    const game = await servers.open({ agent: agent.access, customerId });
    const stopped = await servers.open({ agent: other.access, customerId });
    const status = (id: string) => servers.ask("getStatus", { id });
    await servers.ask("stopGame", { id: stopped.id });
    await until(
      () => status(stopped.id),
      (now) => now.operation === null && now.status === "stopped",
    );

    await servers.bills(customerId, { version: 2, serverBillingState: "suspended_shutdown" });
    await until(
      () => agent.says.state,
      (state) => state === "idle",
    );
    await until(
      () => status(game.id),
      (now) => now.status === "suspended" && now.operation === null,
    );
    await servers.bills(customerId, { version: 3, serverBillingState: "allowed" });
    await until(
      () => status(game.id),
      (now) => now.status === "running" && now.operation === null,
    );
    expect(other.says.state).toBe("idle");
    expect(other.calls.get("/start")).toBeUndefined();
  });
});
