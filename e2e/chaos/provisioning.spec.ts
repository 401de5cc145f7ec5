import postgres from "postgres";
import { type Api, customer } from "#e2e/client.ts";
import { devServer, expect, finish, type Operation, smallGame, test } from "#e2e/fixtures.ts";
import { containersOf } from "#e2e/host.ts";
import { type RunningStack, startStack, until } from "#e2e/stack.ts";
import { databaseOf } from "./victims.ts";

// Provisioning is killed with -9 in every step of a creation, and of a restart and a deletion, after the step's effect and
// before its log: the database is made to hold each "done" back for a moment, which is when the kill arrives.

/** Waits until the database holds something back. */
const held = (what: string) =>
  until(
    async () => (await sql`select 1 from pg_stat_activity where wait_event = 'PgSleep'`).length > 0,
    30_000,
    `${what} to be held back`,
  );

const full = process.env["FULL"] === "1";
const restart = [
  "hold-lock",
  "write-wish",
  "stop-container",
  "start-container",
  "wait-agent",
  "note-address",
  "release-lock",
];
const deletion = [
  "check-stopped",
  "archive-instance",
  "unpublish-edge",
  "unregister-proxy",
  "destroy-container",
  "delete-row",
  "release-vmid",
];
const creation = [
  "allocate-vmid",
  "clone-container",
  "configure-container",
  "start-container",
  "wait-for-ip",
  "send-agent-config",
  "wait-ready",
  "persist-instance",
  "publish-edge",
  "register-proxy",
  "confirm",
];

let stack: RunningStack;
let sql: postgres.Sql;
test.beforeAll(async () => {
  stack = await startStack({
    env: {
      PROVISIONING_LEASE_MS: "1500",
      PROVISIONING_SWEEP_MS: "200",
      AGENT_POLL_MS: "1000",
      LOCK_BEGIN_MS: "3000",
    },
  });
  sql = postgres(databaseOf(stack));
  await sql.unsafe(`
    create table public.hold (step text);
    create function public.hold_done() returns trigger language plpgsql security definer as $$
    begin
      if new.status = 'done' and old.status <> 'done'
        and exists (select 1 from public.hold where step = new.name)
      then perform pg_sleep(1); end if;
      return new;
    end $$;
    create trigger hold_done before update on provisioning.saga_step for each row execute function public.hold_done();
    create function public.hold_accept() returns trigger language plpgsql security definer as $$
    begin
      if exists (select 1 from public.hold where step = 'accept') then perform pg_sleep(1); end if;
      return new;
    end $$;
    create trigger hold_accept before insert on provisioning.operation for each row execute function public.hold_accept();
  `);
});
test.afterAll(async () => {
  await sql.end();
  await stack.stop();
});

/** What is asked for is killed where the log of `step` is held back, after its effect; how its operation ended. */
async function killedIn(step: string, owner: Api, ask: [method: string, path: string, body?: unknown]) {
  await sql`insert into public.hold values (${step})`;
  const accepted = await owner.send<{ operation: Operation }>(...ask);
  expect(accepted.status, JSON.stringify(accepted.body)).toBe(202);
  const { id } = accepted.body.operation;
  await held(`the log of ${step}`);
  const before = stack.pidOf("services/provisioning/main.ts");
  expect((await owner.get<Operation>(`/api/operations/${id}`)).body.phase).toBe(step);
  process.kill(before, "SIGKILL");
  await sql`delete from public.hold`;
  const operation = await finish(owner, id);
  expect(stack.pidOf("services/provisioning/main.ts")).not.toBe(before);
  expect(operation, JSON.stringify(operation)).toMatchObject({ status: "succeeded", error: null });
  return operation;
}

for (const step of creation)
  test(`killed in ${step}, between its effect and its log: exactly one container, and a truthful operation`, async () => {
    const ada = await customer(stack.url);
    const { id } = await killedIn(step, ada, ["POST", "/api/servers", { ...smallGame, name: step }]);
    const { servers } = (await ada.get<{ servers: { vmid: number; instanceId: string }[] }>("/api/servers"))
      .body;
    expect(servers).toHaveLength(1);
    const ours = (await containersOf(stack.home)).filter(({ description }) => description.endsWith(`:${id}`));
    expect(ours.map(({ vmid, status }) => ({ vmid, status }))).toEqual([
      { vmid: servers[0]?.vmid, status: "running" },
    ]);
    expect(ours[0]?.description).toContain(servers[0]?.instanceId);
  });

for (const step of full ? restart : restart.slice(2, 3))
  test(`killed in ${step} of a restart, between its effect and its log: the container runs, and the lock is free`, async () => {
    const ada = await customer(stack.url);
    const { id, instanceId } = await devServer(ada);
    await killedIn(step, ada, ["POST", `/api/servers/${id}/host/restart`]);
    const container = (await containersOf(stack.home)).find(({ vmid }) => String(vmid) === id);
    expect(container).toMatchObject({ status: "running", description: expect.stringContaining(instanceId) });
    expect((await ada.get(`/api/servers/${id}/status`)).body).toMatchObject({
      operation: null,
      host: { desired: "running" },
    });
  });

for (const step of full ? deletion : deletion.slice(4, 6))
  test(`killed in ${step} of a deletion, between its effect and its log: nothing of the server is left`, async () => {
    const ada = await customer(stack.url);
    const { id, instanceId } = await devServer(ada);
    const stopped = await ada.send<{ operation: Operation }>("POST", `/api/servers/${id}/host/stop`);
    await finish(ada, stopped.body.operation.id);
    await killedIn(step, ada, ["DELETE", `/api/servers/${id}`]);
    expect((await ada.get("/api/servers")).body).toEqual({ servers: [] });
    const left = (await containersOf(stack.home)).filter(({ vmid }) => String(vmid) === id);
    expect(left).toEqual([]);
    expect([...(await sql`select * from provisioning.quota where instance_id = ${instanceId}`)]).toEqual([]);
    const archived = await sql`
      select r.state from servers.deleted_instance i join servers.vmid_reservation r using (instance_id)
      where i.instance_id = ${instanceId}`;
    expect([...archived]).toEqual([{ state: "resting" }]);
  });

test("killed while it accepts: nothing is begun, and the server's lock is free again soon", async () => {
  const ada = await customer(stack.url);
  const { id } = await devServer(ada);
  await sql`insert into public.hold values ('accept')`;
  const refused = ada.send("POST", `/api/servers/${id}/host/restart`);
  await held("the operation");
  const lock = (await ada.get<{ operation: { id: string } | null }>(`/api/servers/${id}/status`)).body
    .operation;
  expect(lock).not.toBeNull();
  process.kill(stack.pidOf("services/provisioning/main.ts"), "SIGKILL");
  await sql`delete from public.hold`;
  expect([503, 504]).toContain((await refused).status);
  let again: { status: number; body: { operation?: { id: string } } } | undefined;
  await until(
    async () => (again = await ada.send("POST", `/api/servers/${id}/host/stop`)).status === 202,
    10_000,
    "the lock to be free",
  );
  const operation = await finish(ada, String(again?.body.operation?.id));
  expect(operation, JSON.stringify(operation)).toMatchObject({ status: "succeeded", error: null });
  expect((await ada.get(`/api/operations/${lock?.id}`)).status).toBe(404);
});

test("afterwards there is a container for each server and none besides", async () => {
  const rows = await sql<{ vmid: number }[]>`select vmid from servers.container_instance order by vmid`;
  const containers = await containersOf(stack.home);
  expect(new Set(containers.map(({ vmid }) => vmid))).toEqual(new Set(rows.map(({ vmid }) => vmid)));
  expect([...(await sql`select * from servers.operation_lock where operation_id is not null`)]).toEqual([]);
});
