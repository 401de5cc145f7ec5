import type { ConsoleHub } from "./console/hub.ts";
import type { Logger } from "#shared/telemetry/log.ts";
import type { Store } from "./store.ts";

/** What makes one kind of workload usable. */
export type Recipe = {
  /** What is remembered as installed once `run` is done, `name@version` for one. */
  name: string;
  /** Whether what `run` made is still there and fits. */
  complete(): boolean;
  /** May be repeated. Rejects with a sentence for the customer. */
  run(o: { signal: AbortSignal; step: (sentence: string) => void }): Promise<void>;
};

export type InstallationOptions = { store: Store; console: ConsoleHub; log: Logger };

/** Runs recipes, one at a time, and tells how that goes. */
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

  complete(recipe: Recipe): boolean {
    return this.#o.store.get().installed === recipe.name && recipe.complete();
  }

  /** Installs; never rejects: `error()` says how it went. Aborting `signal` ends it early. */
  run(recipe: Recipe, signal: AbortSignal): Promise<void> {
    this.#error = null;
    this.#say("Preparing");
    this.#done = this.#install(recipe, signal)
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

  async #install(recipe: Recipe, signal: AbortSignal): Promise<void> {
    await recipe.run({ signal, step: (sentence) => this.#say(sentence) });
    await this.#o.store.set({ installed: recipe.name });
    this.#o.console.note("The installation is complete.");
  }

  #say(sentence: string): void {
    if (this.#step === sentence) return;
    this.#step = sentence;
    this.#o.console.note(`${sentence} …`);
  }
}
