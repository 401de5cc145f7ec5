import { existsSync } from "node:fs";
import { join } from "node:path";
import type { GameConfig } from "#shared/agent/contract.ts";
import type { Clock } from "#shared/process/clock.ts";
import type { Logger } from "#shared/telemetry/log.ts";
import type { ConsoleHub } from "../console/hub.ts";
import type { Store } from "../store.ts";
import { flyingSquid, type GamePlace, prepareFlyingSquid } from "./flying-squid.ts";
import { installPackage } from "./install.ts";

export type InstallationOptions = {
  root: string;
  place: GamePlace;
  packageStore?: string;
  store: Store;
  console: ConsoleHub;
  clock: Clock;
  log: Logger;
};

/** Whether the game is installed, and the steps that make it so. */
export class Installation {
  readonly #o: InstallationOptions;
  #step: string | null = null;
  #error: string | null = null;
  #done: Promise<void> = Promise.resolve();

  constructor(options: InstallationOptions) {
    this.#o = options;
  }

  /** What it does at the moment; null when it does nothing. */
  step = (): string | null => this.#step;
  /** Why the last run failed; null when it did not. */
  error = (): string | null => this.#error;
  /** Resolves when nothing is being installed any more. */
  done = (): Promise<void> => this.#done;

  complete(): boolean {
    const manifest = join(this.#o.place.runtime, "node_modules", "flying-squid", "package.json");
    return this.#o.store.get().installed === flyingSquid && existsSync(manifest);
  }

  /** Installs; never rejects: `error()` says how it went. Aborting `signal` ends it early. */
  run(config: GameConfig, signal: AbortSignal): Promise<void> {
    this.#error = null;
    this.#say("Preparing");
    this.#done = this.#install(config, signal)
      .catch((error: unknown) => {
        this.#error = error instanceof Error ? error.message : String(error);
        this.#o.console.note(`The installation failed: ${this.#error}`);
        this.#o.log.error({ err: error }, "the installation failed");
      })
      .finally(() => {
        this.#step = null;
      });
    return this.#done;
  }

  async #install(config: GameConfig, signal: AbortSignal): Promise<void> {
    const { console, clock, packageStore, store, place, root } = this.#o;
    await installPackage({
      package: flyingSquid,
      runtime: place.runtime,
      scratch: join(root, ".agent"),
      store: packageStore,
      console,
      clock,
      signal,
      step: (sentence) => this.#say(sentence),
    });
    this.#say("Writing the configuration");
    await prepareFlyingSquid(place, config);
    await store.set({ installed: flyingSquid });
    console.note("The game is installed.");
  }

  #say(sentence: string): void {
    if (this.#step === sentence) return;
    this.#step = sentence;
    this.#o.console.note(`${sentence} …`);
  }
}
