import { existsSync } from "node:fs";
import type { AgentState, Crash, Players, Ready } from "#shared/agent/contract.ts";
import type { Clock } from "#shared/process/clock.ts";
import type { ConsoleHub } from "../console/hub.ts";
import { openTerminal, type Terminal } from "../console/terminal.ts";
import type { Typed, Workload } from "./workload.ts";

export type DevOptions = {
  /** The customer's workspace; absolute. */
  workspace: string;
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
  ready = (): Promise<Ready> => Promise.resolve({ ready: true, reason: "ok" });
  players = (): Promise<Players> => Promise.resolve({ online: 0, max: 0, players: [] });

  /** Ends the shell; the next viewer gets a new one. */
  async stop(): Promise<void> {
    const shell = this.#shell;
    if (!shell) return;
    shell.kill();
    await shell.exited;
  }

  attach(): void {
    if (this.#shell) return;
    const { workspace, console, clock } = this.#o;
    const path = ["/usr/local/bin", "/usr/bin", "/bin"].join(":");
    const shell = openTerminal({
      command: existsSync("/bin/bash") ? ["/bin/bash", "--login"] : ["/bin/sh"],
      cwd: workspace,
      env: { HOME: workspace, PATH: path, PS1: "\\w $ " },
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
