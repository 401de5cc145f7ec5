import { afterAll, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { type Clock, systemClock } from "#shared/process/clock.ts";
import { ask, setMode, tell, testHomes, until } from "./testing/harness.ts";

const homes = testHomes();
afterAll(() => homes.remove());

/** The system's clock, but the restart waits of these tests (1 s and more) are noted and pass at once. */
function notingClock(): Clock & { waits: number[]; ahead: number } {
  const clock = {
    waits: [] as number[],
    ahead: 0,
    now: () => systemClock.now() + clock.ahead,
    sleep: (ms: number, signal?: AbortSignal) => {
      if (ms >= 1000) clock.waits.push(ms);
      return systemClock.sleep(ms >= 1000 ? 1 : ms, signal);
    },
  };
  return clock;
}

test("an agent that keeps dying is started again with growing waits, up to the last one", async () => {
  const home = homes.newHome();
  const clock = notingClock();
  const host = await homes.host(home, { clock, env: { LOCAL_HOST_RESTART_MS: "1000,2000,4000" } });
  const container = await host.client.run(5001);
  setMode(home, 5001, "ends");
  await tell(container, "/die").catch(() => undefined);
  await until(() => clock.waits.length >= 5);
  expect(clock.waits.slice(0, 5)).toEqual([1000, 2000, 4000, 4000, 4000]);
  rmSync(join(home, "data/containers/5001/mode"));
  await until(() => ask(container, "/self").catch(() => undefined));
  await host.stop();
});

test("an agent that lived long begins anew with the first wait", async () => {
  const home = homes.newHome();
  const clock = notingClock();
  const host = await homes.host(home, {
    clock,
    env: { LOCAL_HOST_RESTART_MS: "1000,2000", LOCAL_HOST_RESTART_RESET_MS: "60000" },
  });
  const container = await host.client.run(5001);
  for (const ahead of [0, 0, 60_000]) {
    const { pid } = await ask(container, "/self");
    clock.ahead += ahead;
    await tell(container, "/die").catch(() => undefined);
    await until(() =>
      ask(container, "/self").then(
        (self) => self.pid !== pid,
        () => false,
      ),
    );
  }
  expect(clock.waits).toEqual([1000, 2000, 1000]);
  await host.stop();
});

test("a container whose agent is dead shows stopped, and can be started, stopped and removed without waiting", async () => {
  const home = homes.newHome();
  const host = await homes.host(home, { env: { LOCAL_HOST_RESTART_MS: "3600000" } });
  for (const vmid of [5001, 5002, 5003]) {
    const container = await host.client.run(vmid);
    await tell(container, "/die").catch(() => undefined);
    await until(async () => (await host.client.find(vmid))?.status === "stopped");
  }
  expect((await host.client.start(5001)).status).toBe("running");
  expect((await host.client.stop(5002)).status).toBe("stopped");
  await host.client.remove(5003);
  expect((await host.client.list()).map((each) => each.vmid)).toEqual([5001, 5002]);
  await host.stop();
});

test("a stop ends the restarts: nothing comes back", async () => {
  const home = homes.newHome();
  const clock = notingClock();
  const host = await homes.host(home, { clock, env: { LOCAL_HOST_RESTART_MS: "1000" } });
  const container = await host.client.run(5001);
  setMode(home, 5001, "ends");
  await tell(container, "/die").catch(() => undefined);
  await until(() => clock.waits.length >= 2);
  await host.client.stop(5001);
  const seen = clock.waits.length;
  rmSync(join(home, "data/containers/5001/mode"));
  await host.client.update(5001, {});
  expect((await host.client.find(5001))?.status).toBe("stopped");
  await host.client.start(5001);
  await host.stop();
  expect(clock.waits.length).toBe(seen);
});
