// For the tests of shared/saga: sagas of two steps on a queue's fixture.
import { withTx } from "#shared/db/tx.ts";
import { newId } from "#shared/ids/ids.ts";
import { type QueueFixture, queueForTest } from "#shared/queue/fixtures.ts";
import type { Worker, WorkerOptions } from "#shared/queue/worker.ts";
import { silentLogger } from "#shared/telemetry/log.ts";
import { beginSaga } from "#shared/saga/begin.ts";
import { type SagaHandlerOptions, sagaHandler } from "#shared/saga/handler.ts";
import type { AnySaga } from "#shared/saga/log.ts";
import { readOperation } from "#shared/saga/operation.ts";
import { defineSaga, type Saga, type SagaDefinition, type Step } from "#shared/saga/saga.ts";

export type State = { vmid?: number; name?: string };
/** What the steps did, in order. */
export type Diary = string[];

export type SagaFixture = QueueFixture & {
  diary: Diary;
  begin(saga: Saga<Diary, State>): Promise<string>;
  work(sagas: AnySaga<Diary>[], options?: Partial<WorkerOptions & SagaHandlerOptions>): Worker;
  operation(id: string): Promise<NonNullable<Awaited<ReturnType<typeof readOperation>>>["operation"]>;
  /** Lets time pass once every worker has nothing to do. */
  pass(ms: number): Promise<void>;
};

export async function sagaForTest(): Promise<SagaFixture> {
  const q = await queueForTest();
  const diary: Diary = [];
  return {
    ...q,
    diary,
    begin: async (saga) => {
      const operationId = newId("tst");
      await withTx(q.db, (tx) => beginSaga(tx, saga, { operationId, customerId: "c1", state: {} }));
      return operationId;
    },
    work: (sagas, options = {}) => {
      const { clock } = q;
      const handler = sagaHandler(sagas, diary, {
        clock,
        log: silentLogger,
        backoffMs: () => 1000,
        ...options,
      });
      return q.worker(handler, { queue: "saga", ...options });
    },
    operation: async (id) => {
      const found = await withTx(q.db, (tx) => readOperation(tx, id));
      if (!found) throw new Error(`no operation ${id}`);
      return found.operation;
    },
    pass: async (ms) => {
      await q.idle();
      await q.clock.advance(ms);
    },
  };
}

/** A step that writes into the diary what becomes of it. */
export function step(name: string, o: Partial<Step<Diary, State>> = {}): Step<Diary, State> {
  return {
    name,
    do: async ({ deps }) => void deps.push(name),
    undo: async ({ deps }) => void deps.push(`undo ${name}`),
    ...o,
  };
}

export function sagaOf(
  steps: Step<Diary, State>[],
  o: Partial<SagaDefinition<Diary, State>> = {},
): Saga<Diary, State> {
  return defineSaga({ type: "test.saga", steps, ...o });
}

/** A step's `do` that rejects with each of `errors` once, then works. */
export function failingWith(name: string, ...errors: Error[]): Step<Diary, State> {
  const left = [...errors];
  return step(name, {
    do: async ({ deps, attempt }) => {
      deps.push(`${name} ${attempt}`);
      const error = left.shift();
      if (error) throw error;
    },
  });
}
