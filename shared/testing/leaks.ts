// What a test file must not leave behind. Bun closes leaked handles between isolated files without a word; a child process
// it even lets outlive the run. So the file's end is compared with its beginning: processes and sockets as the kernel lists
// them, timers as they were created through the globals.
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { relative } from "node:path";
import { listProcesses } from "#shared/process/proc.ts";

/** One thing left open; `child` is the pid when it is a process, so that the caller can end it. */
export type Leak = { sentence: string; child?: number };

/** Starts watching; the answer is what was opened since and is still open. */
export function watchLeaks(): () => Leak[] {
  const timers = watchTimers();
  const before = new Set([...children().keys(), ...openSockets().keys()]);
  return () => {
    const now = [...children(), ...openSockets()];
    return [...now.filter(([key]) => !before.has(key)).map(([, leak]) => leak), ...timers()];
  };
}

function children(): Map<string, Leak> {
  const ours = listProcesses().filter((p) => p.parent === process.pid);
  return new Map(
    ours.map((p) => {
      const sentence = `child process ${p.pid}: ${p.command.join(" ").slice(0, 200)}`;
      return [`process ${p.pid} ${p.startedAt}`, { sentence, child: p.pid }];
    }),
  );
}

const socketStates: Record<string, string> = { "01": "open connection", "0A": "listening socket" };

/** TCP sockets of this process that listen or are connected; the connections of fetch's pool end with their server. */
function openSockets(): Map<string, Leak> {
  const ours = new Set<string>();
  for (const fd of readdirSync("/proc/self/fd")) {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1];
      if (inode) ours.add(inode);
    } catch {
      continue; // the descriptor of this very listing
    }
  }
  const found = new Map<string, Leak>();
  for (const table of ["/proc/self/net/tcp", "/proc/self/net/tcp6"].filter((path) => existsSync(path))) {
    for (const line of readFileSync(table, "utf8").split("\n").slice(1)) {
      const [, local = "", remote = "", state = "", , , , , , inode = ""] = line.trim().split(/\s+/);
      const kind = socketStates[state];
      if (!kind || !ours.has(inode)) continue;
      found.set(`socket ${inode}`, { sentence: `${kind}: port ${port(local)}, peer port ${port(remote)}` });
    }
  }
  return found;
}

const port = (address: string) => Number.parseInt(address.split(":").at(-1) ?? "", 16);

type Timer = { handle: Pick<NodeJS.Timeout, "hasRef">; kind: string; created: Error };

/** Wraps the timer globals of this file's realm; a timer that was unref'ed does not count. */
function watchTimers(): () => Leak[] {
  let timers: Timer[] = [];
  const pending = () => timers.filter(({ handle }) => !Reflect.get(handle, "_destroyed") && handle.hasRef());
  const watched = <F extends typeof setTimeout | typeof setInterval>(kind: string, original: F): F =>
    new Proxy(original, {
      apply(create, self, args) {
        const handle = Reflect.apply(create, self, args);
        timers.push({ handle, kind, created: new Error("created here") });
        if (timers.length % 1000 === 0) timers = pending();
        return handle;
      },
    });
  Object.assign(globalThis, {
    setTimeout: watched("setTimeout", setTimeout),
    setInterval: watched("setInterval", setInterval),
  });
  return () => pending().map(({ kind, created }) => ({ sentence: `${kind} ${caller(created)}` }));
}

/** The first place outside of this file in a stack, relative to the checkout. */
function caller(created: Error): string {
  const frames = created.stack?.split("\n").slice(1) ?? [];
  const frame = frames.find((line) => line.includes("/") && !line.includes(import.meta.path));
  const path = /\(?(\/[^()]+)\)?$/.exec(frame ?? "")?.[1];
  return path ? `at ${relative(process.cwd(), path)}` : "of unknown origin";
}
