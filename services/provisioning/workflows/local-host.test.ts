import { afterAll, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packageStore } from "#infra/agent/testing/packages.ts";
import { startDaemon } from "#infra/local-host/testing/daemon.ts";
import { agentClient } from "#shared/agent/client.ts";
import { Operation } from "#shared/contract/operation.ts";
import { creationForTest } from "../testing/creation.ts";
import { untilOperation } from "../testing/provisioning.ts";

// Creations and host power against the real host, with the real agent and the real game.

const home = mkdtempSync(join(tmpdir(), "zpack-provisioning-"));
chmodSync(home, 0o755);
afterAll(() => rmSync(home, { recursive: true, force: true }));
const token = "the-token-of-a-real-host";

test.each([
  ["game", {}],
  ["dev", { runtime: "bun" }],
] as const)(
  "a %s server is made on the local host, is of use, and its container is stopped and started",
  async (ctype, input) => {
    const daemon = await startDaemon({
      LOCAL_HOST_HOME: home,
      LOCAL_HOST_TOKEN: token,
      LOCAL_HOST_PACKAGES: await packageStore(),
      LOG_LEVEL: "fatal",
    });
    const port = readFileSync(join(home, "port"), "utf8").trim();
    try {
      await using made = await creationForTest({ real: { url: `http://127.0.0.1:${port}`, token } });
      const { end, actor } = await made.create({ ctype, ...input, name: "real", memoryMiB: 512 });
      const operation = await end(60_000);
      expect(operation).toMatchObject({ status: "succeeded", error: null });
      const vmid = Number(operation.serverId);
      const access = made.registry.agents.get(String(operation.result?.["instanceId"]));
      const agent = agentClient(access ?? { address: "", token: "" });
      expect(await agent.ready()).toMatchObject({ ready: true });

      for (const [route, status] of [
        ["restartHost", "running"],
        ["stopHost", "stopped"],
      ] as const) {
        const { reply } = await made.call(route, { id: String(vmid) }, actor);
        const { id } = Operation.parse((reply as { operation: unknown }).operation);
        const ended = await untilOperation(made, id, ({ finishedAt }) => finishedAt !== null, 30_000);
        expect(ended).toMatchObject({
          type: `host.${status === "running" ? "restart" : "stop"}`,
          status: "succeeded",
        });
        expect(await made.driver.locate(vmid)).toMatchObject({ status });
        // After a restart a workspace can be used at once; a game waits for the control plane's word.
        if (status === "running") expect((await agent.ready()).ready).toBe(ctype === "dev");
      }
      await made.driver.destroy(vmid);
      expect(await made.driver.locate(vmid)).toBeUndefined();
    } finally {
      await daemon.end("SIGTERM");
    }
  },
  90_000,
);
