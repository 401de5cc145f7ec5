import type { z } from "zod";
import type { servers } from "#services/servers/contract.ts";
import type { HostContainer } from "./adapters/host-driver.ts";
import type { Inventory } from "./contract.ts";
import { isOfInstallation, isOfInstance } from "./ownership.ts";

type Listed = z.output<(typeof servers)["routes"]["listInventory"]["reply"]>;
export type Row = Listed["rows"][number];
export type Range = Listed["ranges"][number];
type Report = z.input<typeof Inventory>;
type Differences = Pick<Report, "rowsWithoutContainer" | "containersWithoutRow" | "wrongNode">;
/** The registry's rows by VMID. */
type Rows = ReadonlyMap<number, Row>;

/** What the host has; `nodes` names those of which that is known. */
export type Seen = {
  containers: readonly HostContainer[];
  nodes: readonly { node: string; status: string }[];
};

/**
 * Where registry and host disagree. The registry was read before the host and after it: what is wrong only once is a
 * server that was made, moved or deleted meanwhile. Pure; time grows with the number of rows and containers.
 */
export function compare(
  o: { before: Rows; seen: Seen; after: Rows } & { ranges: readonly Range[]; installation: string },
): Differences {
  const { before, seen, after, ranges, installation } = o;
  const containers = new Map(seen.containers.map((container) => [container.vmid, container]));
  const away = new Set(seen.nodes.flatMap(({ node, status }) => (status === "online" ? [] : [node])));

  const hasContainer = (row: Row, container = containers.get(row.vmid)) =>
    container !== undefined && isRowsOwn(row, container, installation);
  const lacksOne = (row: Row | undefined) =>
    row?.state === "live" && !hasContainer(row) && !(row.node !== null && away.has(row.node));
  const hasNoRow = (rows: Rows, container: HostContainer) => {
    const row = rows.get(container.vmid);
    return !row || !counts(row) || !isRowsOwn(row, container, installation);
  };
  const movedTo = (row: Row | undefined) => {
    const actual = row && hasContainer(row) ? containers.get(row.vmid)?.node : undefined;
    return row?.node && actual && row.node !== actual ? actual : undefined;
  };

  const stillThere = [...after.values()].filter(
    ({ vmid, instanceId }) => before.get(vmid)?.instanceId === instanceId,
  );
  return {
    rowsWithoutContainer: stillThere.filter((row) => lacksOne(before.get(row.vmid)) && lacksOne(row)),
    containersWithoutRow: seen.containers
      .filter(({ vmid }) => ranges.some(({ first, last }) => vmid >= first && vmid <= last))
      .filter((container) => hasNoRow(before, container) && hasNoRow(after, container))
      .map(({ vmid, node, hostname, ...marks }) => ({
        vmid,
        node,
        hostname,
        ours: isOfInstallation(marks, installation),
      })),
    wrongNode: stillThere.flatMap((row) => {
      const { vmid, instanceId, node: recorded } = row;
      const actual = movedTo(before.get(vmid)) && movedTo(row);
      return actual && recorded && instanceId ? [{ vmid, instanceId, recorded, actual }] : [];
    }),
  };
}

/** Whether somebody has the number: it is not at rest, and no stranger's. */
export const counts = ({ state }: Row): boolean => state !== "resting" && state !== "foreign";

const isRowsOwn = ({ instanceId }: Row, container: HostContainer, installation: string): boolean =>
  instanceId !== null && isOfInstance(container, { installation, instanceId });
