import postgres from "postgres";
import { type Operation, settled } from "#e2e/fixtures.ts";
import { agentTokenOf, containersOf } from "#e2e/host.ts";
import { expect } from "@playwright/test";
import { type RunningStack, until } from "#e2e/stack.ts";
import type { Accepted, Customer } from "./load.ts";
import { databaseOf } from "./victims.ts";

// What must be true when it is over, whoever is asked: the API, the database, the host, the agents.

/** Waits until every accepted operation is settled, and answers how each ended. */
export async function settledWithin(
  ms: number,
  accepted: readonly Accepted[],
): Promise<Map<Accepted, Operation>> {
  const ends = new Map<Accepted, Operation>();
  const open = () => accepted.filter((each) => !ends.has(each));
  await until(
    async () => {
      for (const each of open()) {
        const { status, body } = await each.owner.get<Operation>(`/api/operations/${each.operationId}`);
        if (status === 200 && settled(body)) ends.set(each, body);
      }
      return open().length === 0;
    },
    ms,
    "every accepted operation to be settled",
  ).catch((error: unknown) => {
    throw new Error(
      `${String(error)}: ${open()
        .map(({ kind, operationId }) => `${kind} ${operationId}`)
        .join(", ")}`,
    );
  });
  return ends;
}

type Row = { id: string; vmid: number; instanceId: string };

/** Everything agrees: servers, operations, quota, numbers, containers, agents; and nothing is left behind. */
export async function consistent(
  stack: RunningStack,
  customers: readonly Customer[],
  ends: Map<Accepted, Operation>,
): Promise<void> {
  const rows = new Map<Customer, Row[]>();
  for (const owner of customers)
    rows.set(owner, (await owner.get<{ servers: Row[] }>("/api/servers")).body.servers);
  for (const owner of customers) {
    const own = [...ends].filter(([each]) => each.owner === owner);
    const deleted = new Set(
      own
        .filter(([{ kind }, end]) => kind === "delete" && end.status === "succeeded")
        .map(([{ serverId }]) => serverId),
    );
    const made = own
      .filter(([{ kind }, end]) => kind === "create" && end.status === "succeeded")
      .map(([, end]) => String(end.result?.["serverId"]))
      .filter((id) => !deleted.has(id));
    expect(
      rows
        .get(owner)
        ?.map(({ id }) => id)
        .toSorted(),
    ).toEqual(made.toSorted());
  }
  for (const [{ kind }, end] of ends)
    if (end.status === "failed") expect(end.error?.message, `a failed ${kind} says why`).toMatch(/\w/);
  const all = [...rows.values()].flat();
  await hostAgrees(stack, all);
  await databaseAgrees(stack, all);
  for (const owner of customers)
    for (const row of rows.get(owner) ?? []) await agentAgrees(stack, owner, row);
}

async function hostAgrees(stack: RunningStack, all: Row[]): Promise<void> {
  const containers = await containersOf(stack.home);
  const marks = containers.map(({ vmid, description }) => `${vmid} ${description.split(":")[2]}`);
  expect(marks.toSorted()).toEqual(all.map(({ vmid, instanceId }) => `${vmid} ${instanceId}`).toSorted());
}

async function databaseAgrees(stack: RunningStack, all: Row[]): Promise<void> {
  const sql = postgres(databaseOf(stack));
  try {
    const ids = all.map(({ instanceId }) => instanceId).toSorted();
    const column = (found: readonly { id?: string }[]) => found.map(({ id }) => String(id)).toSorted();
    expect(column(await sql`select instance_id as id from provisioning.quota`), "quota").toEqual(ids);
    expect(
      column(
        await sql`select instance_id as id from servers.vmid_reservation where state in ('reserved', 'used')`,
      ),
      "numbers that are taken",
    ).toEqual(ids);
    // A game that was not running after its host's restart may be on its way up.
    const none = async (what: string, query: () => Promise<readonly object[]>, withinMs = 20_000) => {
      let left: readonly object[] = [];
      await until(async () => (left = await query()).length === 0, withinMs).catch(() => {});
      expect(left, what).toEqual([]);
    };
    // Who took a lock may have been killed before his operation began: nobody holds it after 20 s.
    await none(
      "locks",
      () => sql`
        select operation_id, type, phase, heartbeat_at from servers.operation_lock
        where operation_id is not null and (phase is not null or heartbeat_at > now() - interval '20 seconds')`,
      30_000,
    );
    await none("clones", () => sql`select * from provisioning.clone_slot where lease_until > now()`);
    for (const schema of ["servers", "provisioning", "billing", "gateway"]) {
      const table = (name: string) => sql(`${schema}.${name}`);
      await none(
        `${schema}: dead jobs`,
        () => sql`select queue, key, last_error from ${table("job")} where died_at is not null`,
      );
      await none(
        `${schema}: operations`,
        () =>
          sql`select id, status from ${table("operation")} where status in ('queued', 'running', 'unknown')`,
      );
      await none(
        `${schema}: events`,
        () => sql`select id, subject from ${table("outbox")} where published_at is null`,
      );
    }
  } finally {
    await sql.end();
  }
}

/** The status of a server says what its agent says. */
async function agentAgrees(stack: RunningStack, owner: Customer, { id, vmid }: Row): Promise<void> {
  const container = (await containersOf(stack.home)).find((each) => each.vmid === vmid);
  let [told, real]: unknown[] = [];
  await until(
    async () => {
      const { body } = await owner.get<{ agent: { status: string; state: string | null } }>(
        `/api/servers/${id}/status`,
      );
      told = body.agent.status === "online" ? body.agent.state : "none";
      real = container?.status === "running" ? await stateOf(stack, id, container.agentPort) : "none";
      return told === real;
    },
    20_000,
    `the status of server ${id} to be its agent's`,
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}: it says ${String(told)}, the agent ${String(real)}`);
  });
}

async function stateOf(stack: RunningStack, vmid: string, port: number): Promise<unknown> {
  const headers = { authorization: `Bearer ${agentTokenOf(stack.home, vmid)}` };
  const response = await fetch(`http://127.0.0.1:${port}/status`, { headers });
  return ((await response.json()) as { state: string }).state;
}
