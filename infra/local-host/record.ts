import { readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { ProcessIdentity } from "./agent-process.ts";
import { AgentToken, Container, Vmid } from "./schema.ts";
import { removeTemporaries, syncDirectory, writeAtomic } from "./files.ts";

/** What the host knows of a container; one file, mode 0600, whose existence is the container's existence. */
export const ContainerRecord = Container.omit({ status: true, node: true, ip: true }).extend({
  /** What the control plane asked for last; at its own start the host brings it about again. */
  wanted: z.enum(["running", "stopped"]),
  agentToken: AgentToken.optional(),
  /** The last agent process that was started, and the binary that it runs. */
  process: ProcessIdentity.optional(),
  binary: z.string().optional(),
});
export type ContainerRecord = z.infer<typeof ContainerRecord>;

export type RecordStore = {
  write(record: ContainerRecord): Promise<void>;
  /** First step of a removal: from here on a restart of the host finishes it. Needs no space on the disk. */
  condemn(vmid: number): Promise<void>;
  /** Takes a condemnation back, when the removal failed. */
  pardon(vmid: number): Promise<void>;
  /** Last step of a removal. */
  forget(vmid: number): Promise<void>;
  load(): Promise<{ records: ContainerRecord[]; condemned: number[]; unreadable: number[] }>;
};

/** Opens the folder of records, which must exist. */
export function recordStore(directory: string): RecordStore {
  const live = (vmid: number) => join(directory, `${vmid}.json`);
  const dead = (vmid: number) => join(directory, `${vmid}.deleting`);
  const move = async (from: string, to: string) => {
    await rename(from, to);
    await syncDirectory(directory);
  };
  return {
    write: (record) => writeAtomic(live(record.vmid), `${JSON.stringify(record, null, 2)}\n`, 0o600),
    condemn: (vmid) => move(live(vmid), dead(vmid)),
    pardon: (vmid) => move(dead(vmid), live(vmid)),
    forget: async (vmid) => {
      await rm(dead(vmid), { force: true });
      await syncDirectory(directory);
    },
    load: async () => {
      await removeTemporaries(directory);
      const found = {
        records: [] as ContainerRecord[],
        condemned: [] as number[],
        unreadable: [] as number[],
      };
      for (const name of await readdir(directory)) {
        const [, digits, kind] = /^(\d+)\.(json|deleting)$/.exec(name) ?? [];
        const vmid = Vmid.safeParse(Number(digits));
        if (!vmid.success) continue;
        if (kind === "deleting") found.condemned.push(vmid.data);
        else await readInto(found, live(vmid.data), vmid.data);
      }
      return found;
    },
  };
}

async function readInto(
  found: { records: ContainerRecord[]; unreadable: number[] },
  path: string,
  vmid: number,
): Promise<void> {
  try {
    found.records.push(ContainerRecord.parse(JSON.parse(await readFile(path, "utf8"))));
  } catch {
    // Never guessed at and never overwritten: an operator decides. Until then the number is taken.
    found.unreadable.push(vmid);
  }
}
