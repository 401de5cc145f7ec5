import postgres from "postgres";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { customer } from "#e2e/client.ts";
import { expect, finish, type Operation, smallGame, test } from "#e2e/fixtures.ts";
import { containersOf } from "#e2e/host.ts";
import { type RunningStack, startStack, until } from "#e2e/stack.ts";

// Provisioning is killed with -9 in every step of a creation, after the step's effect and before its log: the database
// is made to hold each "done" back for a moment, which is when the kill arrives.

const steps = [
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
    env: { PROVISIONING_LEASE_MS: "1500", PROVISIONING_SWEEP_MS: "200", AGENT_POLL_MS: "1000" },
  });
  const { postgres: password } = JSON.parse(readFileSync(join(stack.home, "secrets.json"), "utf8")) as {
    postgres: string;
  };
  const port = Number(
    readFileSync(join(stack.home, "postgres", "data", "postmaster.pid"), "utf8").split("\n")[3],
  );
  sql = postgres({
    host: "127.0.0.1",
    port,
    user: "zpack_admin",
    password,
    database: "zpack",
    max: 1,
    onnotice: () => {},
  });
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
  `);
});
test.afterAll(async () => {
  await sql.end();
  await stack.stop();
});

for (const step of steps)
  test(`killed in ${step}, between its effect and its log: exactly one container, and a truthful operation`, async () => {
    const ada = await customer(stack.url);
    await sql`insert into public.hold values (${step})`;
    const created = await ada.send<{ operationId: string }>("POST", "/api/servers", {
      ...smallGame,
      name: step,
    });
    const { operationId } = created.body;
    // Its effect is made, and its log is waiting in the database.
    await until(
      async () => (await sql`select 1 from pg_stat_activity where wait_event = 'PgSleep'`).length > 0,
      30_000,
      `the log of ${step} to be held back`,
    );
    const before = stack.pidOf("services/provisioning/main.ts");
    expect((await ada.get<Operation>(`/api/operations/${operationId}`)).body.phase).toBe(step);
    process.kill(before, "SIGKILL");
    await sql`delete from public.hold`;
    const operation = await finish(ada, operationId);
    expect(stack.pidOf("services/provisioning/main.ts")).not.toBe(before);
    expect(operation, JSON.stringify(operation)).toMatchObject({ status: "succeeded", error: null });

    const { servers } = (await ada.get<{ servers: { vmid: number; instanceId: string }[] }>("/api/servers"))
      .body;
    expect(servers).toHaveLength(1);
    const ours = (await containersOf(stack.home)).filter(({ description }) =>
      description.endsWith(`:${operationId}`),
    );
    expect(ours.map(({ vmid, status }) => ({ vmid, status }))).toEqual([
      { vmid: servers[0]?.vmid, status: "running" },
    ]);
    expect(ours[0]?.description).toContain(servers[0]?.instanceId);
  });

test("afterwards there is a container for each server and none besides", async () => {
  const rows = await sql<{ vmid: number }[]>`select vmid from servers.container_instance order by vmid`;
  const containers = await containersOf(stack.home);
  expect(new Set(containers.map(({ vmid }) => vmid))).toEqual(new Set(rows.map(({ vmid }) => vmid)));
  const locks = await sql`select * from servers.operation_lock where expires_at > now()`.catch(() => []);
  expect(locks).toHaveLength(0);
});
