import { afterAll, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packageStore } from "#infra/agent/testing/packages.ts";
import { startDaemon } from "#infra/local-host/testing/daemon.ts";
import { agentClient } from "#shared/agent/client.ts";
import { creationForTest } from "../testing/creation.ts";

// One creation against the real host, with the real agent and the real game.

const home = mkdtempSync(join(tmpdir(), "zpack-provisioning-"));
chmodSync(home, 0o755);
afterAll(() => rmSync(home, { recursive: true, force: true }));
const token = "the-token-of-a-real-host";

test("a game server is made on the local host, and its agent says that players could join", async () => {
  const daemon = await startDaemon({
    LOCAL_HOST_HOME: home,
    LOCAL_HOST_TOKEN: token,
    LOCAL_HOST_PACKAGES: await packageStore(),
    LOG_LEVEL: "fatal",
  });
  const port = readFileSync(join(home, "port"), "utf8").trim();
  try {
    await using made = await creationForTest({ real: { url: `http://127.0.0.1:${port}`, token } });
    const { end } = await made.create({ name: "real", memoryMiB: 512 });
    const operation = await end(60_000);
    expect(operation).toMatchObject({ status: "succeeded", error: null });
    const vmid = Number(operation.serverId);
    const agent = made.registry.agents.get(String(operation.result?.["instanceId"]));
    expect(await agentClient(agent ?? { address: "", token: "" }).ready()).toMatchObject({ ready: true });
    await made.driver.stop(vmid, { timeoutMs: 10_000 });
    await made.driver.destroy(vmid);
    expect(await made.driver.locate(vmid)).toBeUndefined();
  } finally {
    await daemon.end("SIGTERM");
  }
}, 90_000);
