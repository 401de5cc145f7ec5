import type { Accepted, AgentConfig, AgentState, AgentStatus } from "#shared/agent/contract.ts";
import { Refusal } from "./http/reply.ts";
import { Installation } from "./installation.ts";
import { type KindOptions, type Kinds, kindsOf } from "./kinds.ts";
import { type Held, Operations, type OperationType } from "./operations.ts";
import type { Store } from "./store.ts";
import type { Workload } from "./workload/workload.ts";

export type ControlOptions = KindOptions;

/** An answer and whether work goes on after it. */
export type Outcome = { status: 200 | 202; body: Accepted };

/** The agent's decisions: which configuration holds, what is installed, and which operation may run now. */
export class Control {
  readonly #o: ControlOptions;
  readonly #operations: Operations;
  readonly #closing = new AbortController();
  readonly #kinds: Kinds;
  readonly #installation: Installation;
  #workload: Workload | null = null;
  #startWhenInstalled = false;

  constructor(options: ControlOptions) {
    this.#o = options;
    this.#operations = new Operations(options.clock);
    this.#kinds = kindsOf(options);
    this.#installation = new Installation(options);
    const { config } = options.store.get();
    if (config) this.#workload = this.#kinds.workload(config.container_type);
  }

  /** Goes on with an installation that the agent's own end interrupted. A workload is never started here. */
  resume(): void {
    const { config } = this.#o.store.get();
    if (config && !this.#installed(config)) {
      this.#install(config, this.#operations.begin("install"));
    }
  }

  status(): AgentStatus {
    const { config, meant_to_run } = this.#o.store.get();
    const startedAt = this.#workload?.startedAt() ?? null;
    return {
      state: this.#state(),
      container_type: config?.container_type ?? null,
      configured: config !== null,
      installed: config !== null && this.#installed(config),
      install_step: this.#installation.step(),
      operation: this.#operations.current(),
      meant_to_run,
      started_at: startedAt === null ? null : new Date(startedAt).toISOString(),
      crash: this.#workload?.crash() ?? null,
      error: this.#error(),
      code_server: config?.container_type === "dev" && config.enable_code_server ? noCodeServer : null,
    };
  }

  /** The workload, for whoever looks at it; null before the first configuration and while it is installed. */
  workload(): Workload | null {
    const usable = this.#installation.step() === null && this.#installation.error() === null;
    return usable ? this.#workload : null;
  }

  /** Takes a configuration: installs what it needs; what is installed already holds from the next start on. */
  async configure(config: AgentConfig): Promise<Outcome> {
    this.#refuseWhenClosing();
    const { config: before } = this.#o.store.get();
    if (before && before.container_type !== config.container_type) {
      const sentence = `This container is a ${before.container_type} container and stays one.`;
      throw new Refusal(409, "config.container_type_fixed", sentence);
    }
    if (this.#installation.step() !== null && before && same(before, config)) {
      this.#startWhenInstalled ||= startsByItself(config);
      return this.#accepted(202);
    }
    if (!this.#installed(config)) {
      const operation = this.#operations.begin("install");
      const kept = this.#o.store.set({ config });
      this.#workload ??= this.#kinds.workload(config.container_type);
      this.#startWhenInstalled = startsByItself(config);
      this.#install(config, operation);
      await kept;
      return this.#accepted(202);
    }
    await this.#o.store.set({ config });
    this.#workload ??= this.#kinds.workload(config.container_type);
    if (startsByItself(config) && this.#state() === "idle" && !this.#operations.current())
      return this.start();
    return this.#accepted(200);
  }

  async start(): Promise<Outcome> {
    const workload = this.#usable();
    if (this.#operations.current() === null) {
      if (workload.state() === "running") return this.#accepted(200);
      // After a crash the agent starts by itself: there is nothing to add to that.
      if (workload.state() === "starting") return this.#accepted(202);
    }
    return this.#operate("start", [], true, () => workload.start());
  }

  async stop(): Promise<Outcome> {
    const workload = this.#usable();
    if (workload.state() === "idle" && this.#operations.current() === null) {
      await this.#o.store.set({ meant_to_run: false });
      return this.#accepted(200);
    }
    return this.#operate("stop", ["start", "restart"], false, () => workload.stop());
  }

  async restart(): Promise<Outcome> {
    const workload = this.#usable();
    return this.#operate("restart", [], true, async (operation) => {
      await workload.stop();
      // A stop that came meanwhile is the customer's last word; the agent's own end is another.
      if (operation.held() && !this.#closing.signal.aborted) await workload.start();
    });
  }

  /** Ends everything in order; nothing is accepted any more. What was meant to run stays written down. */
  async shutdown(): Promise<void> {
    this.#closing.abort();
    await this.#installation.done();
    await this.#workload?.stop();
  }

  async #operate(
    type: OperationType,
    supersedes: readonly OperationType[],
    meant: boolean,
    work: (operation: Held) => Promise<void>,
  ): Promise<Outcome> {
    const operation = this.#operations.begin(type, supersedes);
    await this.#keep({ meant_to_run: meant }, operation);
    void work(operation)
      .catch((error: unknown) => this.#o.log.error({ err: error, type }, "an operation failed"))
      .finally(() => operation.end());
    return this.#accepted(202);
  }

  /** Writes down what was decided; when that fails, the operation has not begun. */
  async #keep(change: Parameters<Store["set"]>[0], operation: Held): Promise<void> {
    try {
      await this.#o.store.set(change);
    } catch (error) {
      operation.end();
      throw error;
    }
  }

  /** Installs as an operation that has begun, and starts the game afterwards where that is wanted. */
  #install(config: AgentConfig, operation: Held): void {
    void this.#installation
      .run(this.#kinds.recipe(config), this.#closing.signal)
      .finally(() => operation.end())
      .then(async () => {
        const installed = this.#installation.error() === null;
        if (this.#startWhenInstalled && installed && !this.#closing.signal.aborted) await this.start();
      })
      .catch((error: unknown) =>
        this.#o.log.error({ err: error }, "the start after the installation failed"),
      );
  }

  #installed(config: AgentConfig): boolean {
    return this.#installation.complete(this.#kinds.recipe(config));
  }

  #state(): AgentState {
    if (this.#installation.step() !== null) return "installing";
    if (this.#installation.error() !== null) return "error";
    return this.#workload?.state() ?? "idle";
  }

  #error(): AgentStatus["error"] {
    const failed = this.#installation.error();
    if (failed !== null) return { code: "install.failed", message: failed };
    if (this.#workload?.state() !== "error") return null;
    if (!this.#workload.crash()) return { code: "start.failed", message: "The game could not be started." };
    return { code: "crash.limit", message: "The game has crashed too often and is not started again." };
  }

  #accepted(status: 200 | 202): Outcome {
    return { status, body: { ok: true, state: this.#state(), operation: this.#operations.current() } };
  }

  #refuseWhenClosing(): void {
    if (this.#closing.signal.aborted) throw new Refusal(503, "agent.closing", "The agent is shutting down.");
  }

  /** The game, when it can be acted on; 503 otherwise, since the same request may work later. */
  #usable(): Workload {
    this.#refuseWhenClosing();
    const { config } = this.#o.store.get();
    if (config?.container_type === "dev") throw new Refusal(409, "dev.always_running", devRuns);
    if (this.#installation.step() !== null)
      throw new Refusal(503, "workload.installing", "The installation is not finished yet.");
    if (!config || !this.#workload)
      throw new Refusal(503, "config.missing", "The server is not configured yet.");
    const failed = this.#installation.error();
    if (failed !== null || !this.#installed(config)) {
      const why = failed ?? "Its files are missing.";
      throw new Refusal(503, "workload.not_installed", `The game is not installed: ${why}`);
    }
    return this.#workload;
  }
}

const devRuns = "A dev container runs as long as its host does; start or stop the host instead.";
const noCodeServer = { available: false, reason: "This host has no code-server; the console is a shell." };

const startsByItself = (config: AgentConfig) => config.container_type === "game" && config.auto_start;

/** Whether two configurations ask for the same server; `auto_start` is an order, not a property. */
function same(a: AgentConfig, b: AgentConfig): boolean {
  return Bun.deepEquals({ ...a, auto_start: false }, { ...b, auto_start: false });
}
