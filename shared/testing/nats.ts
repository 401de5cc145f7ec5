import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findNatsServer } from "#infra/nats/install.ts";
import { startNats, stopNats } from "#infra/nats/server.ts";
import { isRunning, readProcess } from "#shared/process/proc.ts";

export type TestNats = AsyncDisposable & {
  url: string;
  port: number;
  /** The server's pid now; 0 while it is down. */
  readonly pid: number;
  /** Ends the server at once, as a crash would. */
  kill(): Promise<void>;
  /** Starts it again, after `kill` or in order, on the same port and with the same store; `config` replaces what was added. */
  restart(more?: { config?: string }): Promise<void>;
  /** Removes everything that the server stored; it must be down. */
  forget(): void;
};

/**
 * A private nats-server on a free port: `await using nats = await natsForTest()` stops it and removes its files.
 * `config` is added to the configuration (users and rights); `jetstream` is on unless false.
 */
export async function natsForTest(o: { config?: string; jetstream?: boolean } = {}): Promise<TestNats> {
  const binary = findNatsServer();
  if (!binary) throw new Error("nats-server is missing: npm test brings it");
  const dir = mkdtempSync(join(tmpdir(), "zpack-nats-"));
  let server = await startNats({ ...o, binary, dir });
  const { url, port } = server;
  const kill = async () => {
    if (server.pid === 0) return;
    const killed = readProcess(server.pid);
    process.kill(server.pid, "SIGKILL");
    // Not by its command line, which a dying process loses before it is gone.
    const ended = () => killed === undefined || !isRunning(killed);
    while (!ended()) await Bun.sleep(5);
    server = { ...server, pid: 0 };
  };
  return {
    url,
    port,
    get pid() {
      return server.pid;
    },
    kill,
    async restart(more) {
      await stopNats(dir);
      server = await startNats({ ...o, ...more, binary, dir, port });
    },
    forget() {
      if (server.pid !== 0) throw new Error("the server still writes to its store");
      rmSync(join(dir, "jetstream"), { recursive: true, force: true });
    },
    async [Symbol.asyncDispose]() {
      await stopNats(dir);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
