import { expect, test } from "bun:test";
import { newId } from "#shared/ids/ids.ts";
import { purgeOperations } from "./store.ts";
import { serversForTest, until } from "./testing/servers.ts";
import { startUpkeep } from "./upkeep.ts";

test("operations can be read for thirty days after their end, and those that have not ended always", async () => {
  await using servers = await serversForTest();
  const { deps, query } = servers;
  const write = async (status: string, daysAgo: number | null) => {
    const id = newId("srv");
    await query(
      (tx) => tx`
        insert into operation (id, type, customer_id, status, phase, message, finished_at)
        values (${id}, 'power.start', 'acc_1', ${status}, '', '', now() - ${daysAgo}::int * interval '1 day')`,
    );
    return id;
  };
  const kept = [await write("failed", 29), await write("succeeded", 0), await write("running", null)];
  for (let i = 0; i < 3; i++) await write("succeeded", 31);
  const left = async () => {
    const rows = await query((tx) => tx<{ id: string }[]>`select id from operation order by id`);
    return rows.map(({ id }) => id);
  };
  const upkeep = startUpkeep(deps);
  await until(left, (ids) => ids.length === 3);
  await upkeep.stop();
  expect(await left()).toEqual(kept.toSorted());
  expect(await purgeOperations(deps.db, 0)).toBe(2);
});
