import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { api, customer } from "#e2e/client.ts";
import { expect, gameServer, statusUntil, test } from "#e2e/fixtures.ts";
import { join as joinGame } from "#e2e/minecraft.ts";
import { freePort, processes, startStack } from "#e2e/stack.ts";

/** Processes that belong to a home: by their command line, or by the environment they were started with. */
function livingIn(home: string): string[] {
  return processes()
    .filter(({ pid, command }) => {
      if (command.includes(home)) return true;
      try {
        return readFileSync(`/proc/${pid}/environ`, "utf8").includes(home) && pid !== process.pid;
      } catch {
        return false;
      }
    })
    .map(({ pid, command }) => `${pid} ${command}`);
}

test("Ctrl-C leaves no process, and a second start finds the server again and starts it", async () => {
  const home = mkdtempSync(join(tmpdir(), "zpack-e2e-"));
  const port = await freePort();
  try {
    const first = await startStack({ home, port });
    const credentials = join(home, "credentials.json");
    expect(statSync(credentials).mode & 0o777).toBe(0o600);
    expect(first.credentials).toMatchObject({ url: expect.stringContaining(String(port)) });
    const ada = await customer(first.url);
    const server = await gameServer(ada);
    const stopped = await gameServer(ada, { name: "stopped" });
    expect((await ada.send("POST", `/api/servers/${stopped.id}/game/stop`)).status).toBe(202);
    await statusUntil(ada, stopped.id, (s) => s["agentReady"] === false && s["operation"] === null);
    expect(livingIn(home).length).toBeGreaterThan(5);
    await first.stop(false);
    expect(livingIn(home)).toEqual([]);

    const second = await startStack({ home, port });
    try {
      expect(second.credentials).toEqual(first.credentials);
      // The same token: secrets and sessions were kept.
      const again = api(second.url, ada.token);
      const status = await statusUntil(again, server.id, (s) => s["connectable"] === true, 30_000);
      (await joinGame(String(status["address"]), "1.16.5", "Ada")).leave();
      const other = (await again.get(`/api/servers/${stopped.id}/status`)).body;
      expect(other).toMatchObject({ desired: "stopped", agentReady: false, host: { status: "online" } });
      test
        .info()
        .annotations.push({ type: "second start", description: `${Math.round(second.startedInMs)} ms` });
    } finally {
      await second.stop(false);
    }
    expect(livingIn(home)).toEqual([]);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
});

test("two stacks run side by side; a third on the same home is refused in a sentence", async () => {
  const one = await startStack();
  try {
    const two = await startStack();
    try {
      expect((await api(two.url).get("/api/health")).status).toBe(200);
      expect((await api(one.url).get("/api/health")).status).toBe(200);
      await expect(startStack({ home: one.home })).rejects.toThrow(/is in use by another zpack/);
    } finally {
      await two.stop();
    }
    expect((await api(one.url).get("/api/health")).status).toBe(200);
  } finally {
    await one.stop();
  }
});
