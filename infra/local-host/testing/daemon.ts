import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { readProcess } from "#shared/process/proc.ts";
import { client, until } from "./harness.ts";

export type Daemon = {
  pid: number;
  client: ReturnType<typeof client>;
  output(): Promise<string>;
  /** Sends a signal and resolves with the exit code (null when a signal ended it) once it is gone. */
  end(signal: "SIGTERM" | "SIGINT" | "SIGKILL"): Promise<number | null>;
};

/** The local host as its own process, as it is in life; resolves when it listens. */
export async function startDaemon(settings: Record<string, string>): Promise<Daemon> {
  const portFile = join(settings["LOCAL_HOST_HOME"] ?? "", "port");
  rmSync(portFile, { force: true });
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "../main.ts")], {
    env: { PATH: process.env["PATH"], HOME: process.env["HOME"], ...settings },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const output = Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  await until(() => existsSync(portFile) || child.exitCode !== null);
  if (child.exitCode !== null) throw new Error(`the daemon ended: ${(await output).join("")}`);
  return {
    pid: child.pid,
    client: client(`http://127.0.0.1:${readFileSync(portFile, "utf8").trim()}`),
    output: async () => (await output).join(""),
    end: async (signal) => {
      child.kill(signal);
      await child.exited;
      await until(() => readProcess(child.pid) === undefined);
      return child.exitCode;
    },
  };
}
