import type { AgentState, Crash, Players, Ready } from "#shared/agent/contract.ts";

/** What became of input: taken, nothing there to take it, or too much that was not read yet. */
export type Typed = "taken" | "absent" | "full";

/** What an agent runs for its customer: a game with a life cycle, or a dev workspace that is always there. */
export type Workload = {
  state(): AgentState;
  /** Milliseconds since the epoch; null while nothing runs. */
  startedAt(): number | null;
  crash(): Crash | null;
  /** Resolves once the start has come to an end: running, crashed, given up, or stopped meanwhile. */
  start(): Promise<void>;
  /** Ends what runs, in order and within its bound; resolves when it is gone. */
  stop(): Promise<void>;
  /** Whether a customer could use it now. */
  ready(): Promise<Ready>;
  players(): Promise<Players>;
  input(text: string): Typed;
  /** A viewer has come to the console. */
  attach(): void;
};
