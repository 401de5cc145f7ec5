import type { CallMeta } from "#shared/contract/dispatch.ts";
import { verb } from "#shared/contract/implement.ts";
import { provisioning } from "../contract.ts";
import { compare, counts, type Range, type Row } from "../inventory.ts";
import type { Deps } from "../service.ts";
import { ask } from "../workflows/host-calls.ts";

export const inventory = verb(
  provisioning,
  "inventory",
)((deps: Deps) => async ({ ctx }) => {
  const { driver, clock, installation } = deps;
  const before = await readRegistry(deps, ctx);
  const observedAt = new Date(clock.now()).toISOString();
  const [nodes, containers] = await Promise.all([ask(driver.nodes()), ask(driver.inventory())]);
  const { rows, ranges } = await readRegistry(deps, ctx);
  const seen = { nodes, containers };
  return {
    ok: true as const,
    observedAt,
    ranges: [...ranges],
    nodes: [...nodes],
    counts: { rows: [...rows.values()].filter(counts).length, containers: containers.length },
    ...compare({ before: before.rows, seen, after: rows, ranges, installation }),
  };
});

/** All of it, page by page. */
async function readRegistry({ servers }: Deps, meta: CallMeta) {
  const rows = new Map<number, Row>();
  let ranges: readonly Range[] = [];
  for (let after: number | null | undefined; after !== null;) {
    // Asked as this service: the registry's pages are no operator's to read.
    const { deadline, traceparent } = meta;
    const page = await servers.listInventory(after === undefined ? {} : { after }, { deadline, traceparent });
    for (const row of page.rows) rows.set(row.vmid, row);
    ranges = page.ranges;
    after = page.next;
  }
  return { rows, ranges };
}
