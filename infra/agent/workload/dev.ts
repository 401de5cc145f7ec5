import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { AgentState, Crash, Players, Ready } from "#shared/agent/contract.ts";
import type { Clock } from "#shared/process/clock.ts";
import type { ConsoleHub } from "../console/hub.ts";
import { openTerminal, type Terminal } from "../console/terminal.ts";
import type { DevPlace } from "../dev/recipe.ts";
import { systemPath } from "../dev/runtimes.ts";
import type { Typed, Workload } from "./workload.ts";
import { isThere } from "../files.ts";

export type DevOptions = {
  place: DevPlace;
  /** Whether the runtime is there, as it was set up. */
  complete(): boolean;
  /** Whether an IDE was asked for, which this host does not have. */
  wantsCodeServer(): boolean;
  console: ConsoleHub;
  clock: Clock;
};

/** A dev container runs whenever its agent does; its console is one shell, opened when somebody looks. */
export class Dev implements Workload {
  readonly #o: DevOptions;
  readonly #since: number;
  #shell: Terminal | null = null;

  constructor(options: DevOptions) {
    this.#o = options;
    this.#since = options.clock.now();
  }

  state = (): AgentState => "running";
  startedAt = (): number => this.#since;
  crash = (): Crash | null => null;
  start = (): Promise<void> => Promise.resolve();
  players = (): Promise<Players> => Promise.resolve({ online: 0, max: 0, players: [] });

  /** Whether a customer could work in it: the workspace and the runtime are there. */
  async ready(): Promise<Ready> {
    if (!isThere(this.#o.place.workspace)) return { ready: false, reason: "workspace_missing" };
    if (!this.#o.complete()) return { ready: false, reason: "runtime_missing" };
    return { ready: true, reason: this.#o.wantsCodeServer() ? "ok_without_code_server" : "ok" };
  }

  /** Ends the shell; the next viewer gets a new one. */
  async stop(): Promise<void> {
    const shell = this.#shell;
    if (!shell) return;
    shell.kill();
    await shell.exited;
  }

  attach(): void {
    if (this.#shell) return;
    const { place, console, clock } = this.#o;
    const temporary = join(place.commands, "..", "tmp");
    for (const folder of [place.workspace, temporary]) mkdirSync(folder, { recursive: true });
    const shell = openTerminal({
      // No login shell: the system's profile would take the runtime's commands from the path.
      command: [isThere("/bin/bash") ? "/bin/bash" : "/bin/sh"],
      cwd: place.workspace,
      env: {
        HOME: place.workspace,
        PATH: [place.commands, ...systemPath].join(":"),
        TMPDIR: temporary,
        PS1: "\\w $ ",
      },
      output: (chunk) => console.write(chunk),
      clock,
    });
    this.#shell = shell;
    void shell.exited.then(() => {
      this.#shell = null;
      console.note("The shell has ended; the next key opens a new one.");
    });
  }

  input(text: string): Typed {
    this.attach();
    return this.#shell?.write(text) === false ? "full" : "taken";
  }
}
