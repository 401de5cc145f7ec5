import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { z } from "zod";
import { agentClient } from "#shared/agent/client.ts";
import type { AgentConfigInput, AgentState, GameConfig } from "#shared/agent/contract.ts";
import { type AgentOptions, startAgent } from "../agent.ts";
import { admissionOf } from "../token.ts";
import { until } from "./until.ts";

export const testToken = "a-token-only-for-tests";

/** A temporary AGENT_ROOT that is removed at the end. */
export function temporaryRoot(): { root: string; [Symbol.dispose](): void } {
  const root = mkdtempSync(join(tmpdir(), "zpack-agent-"));
  return { root, [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }) };
}

/** A port that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

/** An agent in this process, on a root of its own, with a client; stopped and removed at the end. */
export function agentForTest(options: Partial<AgentOptions> = {}) {
  const place = temporaryRoot();
  const agent = startAgent({
    admission: admissionOf(testToken),
    port: 0,
    bind: "127.0.0.1",
    root: place.root,
    ...options,
  });
  const address = `http://127.0.0.1:${agent.port}`;
  const client = agentClient({ address, token: testToken });
  return {
    agent,
    address,
    client,
    root: options.root ?? place.root,
    /** Waits until /status shows this state. */
    state: (state: AgentState) =>
      until(`state ${state}`, async () => (await client.status()).state === state),
    async [Symbol.asyncDispose]() {
      await agent.stop();
      place[Symbol.dispose]();
    },
  };
}

/** A configuration of the embedded game. */
export function gameConfig(port: number, more: Partial<z.input<typeof GameConfig>> = {}): AgentConfigInput {
  return {
    vmid: 5001,
    container_type: "game",
    game: "minecraft",
    variant: "flying-squid",
    version: "1.16.5",
    memory_mb: 512,
    game_port: port,
    ...more,
  };
}
