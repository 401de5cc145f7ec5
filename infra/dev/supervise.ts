// One service process: started, watched, started again with growing pauses when it ends by itself, stopped in order.
import type { Clock } from "#shared/process/clock.ts";
import { signalGroup } from "#shared/process/proc.ts";
import { eachLine, type LogFile } from "./log-file.ts";
import { forTerminal } from "./terminal.ts";

export type Supervised = {
  name: string;
  /** Resolves when the process said for the first time that it serves; rejects when it cannot get that far. */
  ready: Promise<void>;
  /** Asks it to end, kills it after `graceMs`; resolves when it and everything in its group are gone. */
  stop(graceMs: number): Promise<void>;
};

export type SuperviseOptions = {
  name: string;
  command: string[];
  cwd: string;
  env: Record<string, string>;
  log: LogFile;
  /** Every line to the terminal, not just errors. */
  mirror: boolean;
  tell(line: string): void;
  clock: Clock;
  /** Pause before the n-th start in a row after a short life. */
  backoffMs(failures: number): number;
  /** A life this long makes the next failure the first one again. */
  steadyMs: number;
  /** Ends before it ever was ready that are taken for "it cannot work". */
  attempts: number;
};

export function supervise(o: SuperviseOptions): Supervised {
  const stopping = new AbortController();
  const ready = Promise.withResolvers<void>();
  ready.promise.catch(() => {}); // who stops before it is ready does not look at it
  let child: Bun.Subprocess | undefined;

  /** One life; answers how it ended. */
  async function live(): Promise<string> {
    const process = start(o, ready.resolve);
    child = process;
    const output = Promise.all([
      eachLine(process.stdout, (line) => record(o, line, false)),
      eachLine(process.stderr, (line) => record(o, line, true)),
    ]);
    await process.exited;
    child = undefined;
    signalGroup(process.pid, "SIGKILL"); // whatever it had started, which would also keep its output open
    await output;
    return String(process.signalCode ?? `exit code ${process.exitCode}`);
  }

  async function run(): Promise<void> {
    let failures = 0;
    while (!stopping.signal.aborted) {
      const started = o.clock.now();
      const how = await live();
      if (stopping.signal.aborted) break;
      failures = o.clock.now() - started >= o.steadyMs ? 1 : failures + 1;
      const pause = o.backoffMs(failures);
      o.tell(`${o.name} ended (${how}); started again in ${pause / 1000} s. Its log: ${o.log.path}`);
      if (failures >= o.attempts) ready.reject(new Error(`${o.name} does not start; its log: ${o.log.path}`));
      await o.clock.sleep(pause, stopping.signal);
    }
    ready.reject(new Error(`${o.name} was stopped`));
    o.log.close();
  }

  const ended = run();
  return {
    name: o.name,
    ready: ready.promise,
    async stop(graceMs) {
      stopping.abort();
      child?.kill("SIGTERM");
      const grace = new AbortController();
      const late = o.clock.sleep(graceMs, grace.signal).then(() => {
        if (grace.signal.aborted || !child) return;
        o.tell(`${o.name} did not stop within ${graceMs / 1000} s and was killed`);
        signalGroup(child.pid, "SIGKILL");
      });
      await ended;
      grace.abort();
      await late;
    },
  };
}

/** In a process group of its own, so that Ctrl-C reaches the launcher only, which stops everything in order. */
function start(o: SuperviseOptions, ready: () => void) {
  return Bun.spawn(o.command, {
    cwd: o.cwd,
    env: o.env,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    detached: true,
    ipc: (message: unknown) => {
      if (isReady(message)) ready();
    },
  });
}

const isReady = (message: unknown) => typeof message === "object" && message !== null && "ready" in message;

function record(o: SuperviseOptions, line: string, isError: boolean): void {
  o.log.write(line);
  const text = o.mirror ? line : forTerminal(line, isError);
  if (text !== undefined) o.tell(`${o.name}: ${text}`);
}
