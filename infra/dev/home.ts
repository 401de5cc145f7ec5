import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { lockHome } from "#infra/local-host/host-lock.ts";

/**
 * Makes this process the only launcher of `home`, which is made where it is missing. The lock is the kernel's and ends
 * with its holder: after kill -9 there is nothing stale to clean up. Throws a sentence for people while another holds it.
 */
export function takeHome(home: string): { release(): void } {
  // Postgres and the agents run as other users: they may walk through, the files inside are private one by one.
  mkdirSync(home, { recursive: true, mode: 0o711 });
  mkdirSync(join(home, "logs"), { recursive: true, mode: 0o700 });
  const holder = join(home, "launcher.pid");
  try {
    const lock = lockHome(home);
    writeFileSync(holder, `${process.pid}\n`);
    return lock;
  } catch (cause) {
    throw new Error(
      `${home} is in use by another zpack (pid ${readPid(holder)}). Stop it, or set ZPACK_HOME and ZPACK_PORT.`,
      { cause },
    );
  }
}

function readPid(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    return "unknown";
  }
}
