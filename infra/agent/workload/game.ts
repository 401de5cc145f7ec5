import type { AgentState, Crash, Players, Ready } from "#shared/agent/contract.ts";
import type { Clock } from "#shared/process/clock.ts";
import type { Logger } from "#shared/telemetry/log.ts";
import type { ConsoleHub } from "../console/hub.ts";
import { type Exit, openTerminal, type Terminal } from "../console/terminal.ts";
import { classify, memoryKills } from "./crash.ts";
import type { Program, ServerList } from "./program.ts";
import type { Typed, Workload } from "./workload.ts";

export type GameTiming = {
  /** Milliseconds before each restart after a crash; as many restarts as entries. */
  crashBackoffMs: readonly number[];
  /** Being up this long ends a row of crashes. */
  crashResetMs: number;
  /** Bound of an ordered stop. */
  stopMs: number;
  /** Bound of one ping. */
  pingMs: number;
  /** Pause between two looks at a game that starts. */
  probeMs: number;
  /** After this the start counts as over, though the game may still come up. */
  startMs: number;
};

export type GameOptions = {
  /** Prepares a start and says how to run it; read again at every start, so that a new configuration holds. */
  program(): Promise<Program>;
  console: ConsoleHub;
  clock: Clock;
  log: Logger;
  timing: GameTiming;
  /** What a stopped game would admit. */
  maxPlayers(): number;
  /** The game was ended from its own console: that is a stop that the customer meant. */
  onEndedInOrder(): void;
};

type Run = {
  program: Program;
  terminal: Terminal;
  startedAt: number;
  memoryKills: number;
  /** Aborted when the program has ended. */
  over: AbortController;
};

/** A game's life cycle: start, readiness, ordered stop, and restarts after crashes. */
export class Game implements Workload {
  readonly #o: GameOptions;
  #state: AgentState = "idle";
  #run: Run | null = null;
  #crash: Crash | null = null;
  /** Aborted to call off a restart that is waiting, or a start that is being prepared. */
  #pending = new AbortController();
  #answer: Promise<ServerList | undefined> | null = null;
  #stopping: Promise<void> | null = null;

  constructor(options: GameOptions) {
    this.#o = options;
  }

  state = (): AgentState => this.#state;
  startedAt = (): number | null => this.#run?.startedAt ?? null;
  attach = (): void => {};

  crash(): Crash | null {
    if (this.#crash === null || !this.#upLongEnough()) return this.#crash;
    return { ...this.#crash, count: 0 };
  }

  async start(): Promise<void> {
    if (this.#run) return;
    this.#callOff();
    this.#crash = null;
    await this.#launch();
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop().finally(() => {
      this.#stopping = null;
    });
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    this.#callOff();
    const run = this.#run;
    if (!run) {
      this.#state = "idle";
      return;
    }
    const wasUp = this.#state === "running";
    this.#state = "stopping";
    const deadline = new AbortController();
    const bound = AbortSignal.any([deadline.signal, run.over.signal]);
    void this.#o.clock.sleep(this.#o.timing.stopMs, run.over.signal).then(() => deadline.abort());
    const saved = wasUp ? this.#o.console.waitFor(run.program.save.done, bound) : true;
    if (wasUp) run.terminal.write(`${run.program.save.line}\n`);
    if (await saved) {
      run.terminal.write(`${run.program.stopLine}\n`);
      await aborted(bound);
    }
    if (!run.over.signal.aborted) {
      this.#o.console.note("The game did not stop in time and is ended now.");
      run.terminal.kill();
      await aborted(run.over.signal);
    }
  }

  input(text: string): Typed {
    if (!this.#run) return "absent";
    return this.#run.terminal.write(text) ? "taken" : "full";
  }

  async ready(): Promise<Ready> {
    if (!this.#run || this.#state === "stopping") return { ready: false, reason: this.#state };
    const answer = await this.#ping(this.#run);
    // Looked at again: the game may have ended while it was asked.
    if (this.#state !== "running" || !answer) {
      return { ready: false, reason: this.#state === "running" ? "no_answer" : this.#state };
    }
    const { online, max, latencyMs } = answer;
    return { ready: true, reason: "ok", latency_ms: Math.round(latencyMs), players: { online, max } };
  }

  async players(): Promise<Players> {
    const answer = this.#run ? await this.#ping(this.#run) : undefined;
    if (!answer) return { online: 0, max: this.#o.maxPlayers(), players: [] };
    return { online: answer.online, max: answer.max, players: answer.players };
  }

  /** Many callers, one question; an answer is also how a starting game is found to be up. */
  #ping(run: Run): Promise<ServerList | undefined> {
    this.#answer ??= run.program
      .ping()
      .then((answer) => {
        if (answer && this.#run === run && this.#state === "starting") this.#state = "running";
        return answer;
      })
      .finally(() => {
        this.#answer = null;
      });
    return this.#answer;
  }

  async #launch(): Promise<void> {
    const pending = this.#pending.signal;
    this.#state = "starting";
    try {
      const program = await this.#o.program();
      if (pending.aborted) return;
      this.#run = this.#spawn(program);
    } catch (error) {
      this.#o.log.error({ err: error }, "the game could not be started");
      this.#o.console.note("The game could not be started.");
      if (!pending.aborted) this.#state = "error";
      return;
    }
    await this.#untilUp(this.#run);
  }

  #spawn(program: Program): Run {
    this.#o.console.begin();
    const over = new AbortController();
    const terminal = openTerminal({
      command: program.command,
      cwd: program.cwd,
      env: program.env,
      output: (chunk) => this.#o.console.write(chunk),
      clock: this.#o.clock,
    });
    const startedAt = this.#o.clock.now();
    const run: Run = { program, terminal, startedAt, memoryKills: memoryKills(), over };
    void terminal.exited.then((exit) => this.#ended(run, exit));
    return run;
  }

  async #untilUp(run: Run): Promise<void> {
    const { clock, timing } = this.#o;
    const givenUp = clock.now() + timing.startMs;
    while (this.#run === run && this.#state === "starting" && clock.now() < givenUp) {
      await this.#ping(run);
      if (this.#state === "starting") await clock.sleep(timing.probeMs, run.over.signal);
    }
  }

  #ended(run: Run, exit: Exit): void {
    const tail = this.#o.console.tail();
    const count = (this.#upLongEnough() ? 0 : (this.#crash?.count ?? 0)) + 1;
    this.#run = null;
    const intended = this.#state === "stopping";
    if (intended || run.program.endedInOrder(exit, tail)) {
      this.#state = "idle";
      this.#o.console.note("The game has stopped.");
      if (!intended) this.#o.onEndedInOrder();
    } else {
      this.#crashed(run, exit, tail, count);
    }
    run.over.abort();
  }

  #crashed(run: Run, exit: Exit, tail: string, count: number): void {
    const { clock, timing } = this.#o;
    const now = clock.now();
    const wait = timing.crashBackoffMs[count - 1];
    this.#crash = {
      count,
      time: new Date(now).toISOString(),
      exit_code: exit.code,
      signal: exit.signal,
      uptime: (now - run.startedAt) / 1000,
      log_tail: tail,
      class: classify(exit, tail, memoryKills() > run.memoryKills),
      next_start_at: wait === undefined ? null : new Date(now + wait).toISOString(),
    };
    this.#state = wait === undefined ? "error" : "crashed";
    const next = wait === undefined ? "It is not started again." : `It is started again in ${wait / 1000} s.`;
    this.#o.console.note(`The game has crashed (${this.#crash.class}). ${next}`);
    this.#o.log.warn({ crash: { ...this.#crash, log_tail: undefined } }, "the game has crashed");
    if (wait !== undefined) void this.#again(wait, this.#pending.signal);
  }

  async #again(wait: number, pending: AbortSignal): Promise<void> {
    await this.#o.clock.sleep(wait, pending);
    if (!pending.aborted && this.#state === "crashed") await this.#launch();
  }

  #callOff(): void {
    this.#pending.abort();
    this.#pending = new AbortController();
  }

  #upLongEnough(): boolean {
    const run = this.#run;
    return run !== null && this.#o.clock.now() - run.startedAt >= this.#o.timing.crashResetMs;
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
