import type { Clock } from "#shared/process/clock.ts";
import { asWorkload } from "../guard.ts";

export type Exit = { code: number | null; signal: string | null };

export type Terminal = {
  pid: number;
  /** Types into the terminal; false when the program has left too much unread. */
  write(text: string): boolean;
  /** Resolves when the program has ended and its output has been read. */
  exited: Promise<Exit>;
  kill(): void;
  /** Hangs up: what runs in the terminal gets SIGHUP. */
  close(): void;
};

export type TerminalOptions = {
  command: string[];
  cwd: string;
  env: Record<string, string>;
  output(chunk: Uint8Array): void;
  clock: Clock;
};

/** Characters of input that may wait to be read: Bun itself would buffer without bound. */
const unreadInput = 64 * 1024;

/** Output may follow the exit for a moment; a background child that keeps the terminal open is not waited for. */
const outputAfterExitMs = 250;

/** Runs a program as the workload's user in a terminal of its own. Throws when the program cannot be started. */
export function openTerminal(options: TerminalOptions): Terminal {
  let unread = 0;
  const ended = Promise.withResolvers<void>();
  const child = Bun.spawn(asWorkload(options.command), {
    cwd: options.cwd,
    env: { TERM: "xterm-256color", LANG: "C.UTF-8", ...options.env },
    terminal: {
      cols: 120,
      rows: 40,
      data: (_terminal, chunk) => options.output(chunk),
      exit: () => ended.resolve(),
      drain: () => {
        unread = 0;
      },
    },
  });
  const terminal = child.terminal;
  const exited = child.exited.then(async () => {
    const timeout = new AbortController();
    await Promise.race([ended.promise, options.clock.sleep(outputAfterExitMs, timeout.signal)]);
    timeout.abort();
    terminal?.close();
    const signal = child.signalCode;
    return { code: signal === null ? child.exitCode : null, signal: signal === null ? null : String(signal) };
  });
  return {
    pid: child.pid,
    exited,
    write(text) {
      if (unread > unreadInput) return false;
      unread += text.length;
      terminal?.write(text);
      return true;
    },
    kill: () => child.kill("SIGKILL"),
    close: () => terminal?.close(),
  };
}
