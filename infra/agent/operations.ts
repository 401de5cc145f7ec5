import type { AgentOperation } from "#shared/agent/contract.ts";
import type { Clock } from "#shared/process/clock.ts";
import { Refusal } from "./http/reply.ts";

export type OperationType = "install" | "start" | "stop" | "restart";
type Current = { type: OperationType; started_at: string };

export type Held = {
  /** False once the operation has ended or another one has taken its place. */
  held(): boolean;
  end(): void;
};

/** The one mutating operation at a time. */
export class Operations {
  readonly #clock: Clock;
  #current: Current | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  current(): AgentOperation | null {
    return this.#current;
  }

  /**
   * Takes the slot. A holder named in `supersedes` gives way (a stop need not wait for a start); any other one is
   * a refusal with status 409 that names it.
   */
  begin(type: OperationType, supersedes: readonly OperationType[] = []): Held {
    const holder = this.#current;
    if (holder && !supersedes.includes(holder.type)) {
      throw new Refusal(409, "operation.busy", `Another operation (${holder.type}) is in progress.`, {
        operation: holder,
      });
    }
    const mine: Current = { type, started_at: new Date(this.#clock.now()).toISOString() };
    this.#current = mine;
    const held = () => this.#current === mine;
    return {
      held,
      end: () => {
        if (held()) this.#current = null;
      },
    };
  }
}
