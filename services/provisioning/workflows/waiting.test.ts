import { afterAll, expect, test } from "bun:test";
import { coreFault } from "#shared/fault/core.ts";
import { silentLogger } from "#shared/telemetry/log.ts";
import { manualClock } from "#shared/testing/clock.ts";
import { readWaiting } from "../store.ts";
import { hostPowerForTest } from "../testing/host-power.ts";
import { keepWaiting } from "./waiting.ts";

const made = await hostPowerForTest();
afterAll(() => made[Symbol.asyncDispose]());
const { query, registry } = made;

/** Accepted, and nobody works on it. */
async function accepted() {
  const server = await made.server();
  const { operation } = await made.ask("restartHost", server);
  return { ...server, operationId: operation.id };
}
const kept = async () => {
  const found = await query((tx) => readWaiting(tx, { after: "", limit: 100 }));
  return new Map(found.map(({ operationId, phase, message }) => [operationId, { phase, message }]));
};
const queued = { phase: "hold-lock", message: "Waiting to begin" };

test("work that was given back or put off waits as well, and says how far it is; dead jobs and what is worked on do not", async () => {
  const { operationId } = await accepted();
  expect((await kept()).get(operationId)).toEqual(queued);
  const begun = { phase: "stop-server", message: "Stopping the container" };
  await query((tx) => tx`update operation set status = 'running', ${tx(begun)} where id = ${operationId}`);
  const lease = (seconds: number) =>
    query(
      (tx) => tx`
        update job set lease_until = now() + ${seconds} * interval '1 second' where key = ${operationId}`,
    );
  expect((await kept()).get(operationId)).toEqual(begun);
  await lease(60);
  expect((await kept()).has(operationId)).toBe(false);
  await lease(-1);
  expect((await kept()).get(operationId)).toEqual(begun);
  await query((tx) => tx`update job set lease_until = null, died_at = now() where key = ${operationId}`);
  expect((await kept()).has(operationId)).toBe(false);
});

test("every lock is kept, however many wait, and whichever cannot be", async () => {
  const all = [await accepted(), await accepted(), await accepted()].map(({ operationId }) => operationId);
  const asked: string[] = [];
  const clock = manualClock();
  const servers = {
    heartbeat: async (beat: Parameters<typeof registry.servers.heartbeat>[0]) => {
      asked.push(beat.operationId);
      if (beat.operationId === all[0]) throw coreFault("request.invalid");
      return registry.servers.heartbeat(beat);
    },
  };
  const { db } = made.deps;
  const keeping = keepWaiting({ db, clock, servers, log: silentLogger, heartbeatMs: 1000, atOnce: 1 });
  while (clock.sleepers() === 0) await new Promise((resolve) => setImmediate(resolve));
  await keeping.stop();
  expect(asked.filter((id) => all.includes(id))).toEqual(all);
  for (const id of all.slice(1))
    expect(registry.beats.filter(({ operationId }) => operationId === id)).toMatchObject([queued]);
});
