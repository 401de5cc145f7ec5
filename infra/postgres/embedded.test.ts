import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { asAdmin } from "./admin.ts";
import { running, startPostgres, stopPostgres, superuser } from "./embedded.ts";

const quick = { fsync: "off", shared_buffers: "16MB", max_connections: 20 };
const password = "pass word/@";
const url = (port: number) =>
  `postgres://${superuser}:${encodeURIComponent(password)}@127.0.0.1:${port}/postgres`;

setDefaultTimeout(60_000); // initdb is quick, except on a busy machine

// initdb is the slow part: the tests share one directory, and each leaves its server to be stopped.
let home: string;
let dir: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "zpack-postgres-"));
  dir = join(home, "data");
});
afterEach(() => stopPostgres(dir));
afterAll(() => rm(home, { recursive: true }));

const start = () => startPostgres({ dir, password, settings: quick });
const ask = (port: number, statement = "select 1") => asAdmin(url(port), (sql) => sql.unsafe(statement));

const isHalf = (name: string) => name.startsWith("data.init-");

/** Resolves when nothing of that process is left but, perhaps, an entry that nobody reaped. */
async function dead(pid: number): Promise<void> {
  while (existsSync(`/proc/${pid}/cmdline`) && readFileSync(`/proc/${pid}/cmdline`, "utf8") !== "")
    await Bun.sleep(5);
}

test("it starts below a directory that only its owner may enter, is adopted by a second start, and stops in order", async () => {
  expect((await stat(home)).mode & 0o777).toBe(0o700);
  const first = await start();
  expect(first.adopted).toBe(false);
  await ask(first.port, "create table stopped as select 1 as x");
  expect(await start()).toEqual({ ...first, adopted: true });
  await stopPostgres(dir);
  expect(running(dir)).toBeUndefined();
  await stopPostgres(dir);

  const second = await start();
  expect(second.adopted).toBe(false);
  expect((await ask(second.port, "select x from stopped")).length).toBe(1);
});

test("a server that was killed is started again at once and recovers, whether or not its process entry is gone", async () => {
  const killed = await start();
  await ask(killed.port, "create table killed as select 1 as x");
  process.kill(killed.pid, "SIGKILL");
  await dead(killed.pid);
  const again = await start();
  expect(again.adopted).toBe(false);
  expect((await ask(again.port, "select x from killed")).length).toBe(1);
});

test("a start waits for a backend that outlives its killed server", async () => {
  const killed = await start();
  const connection = asAdmin(url(killed.port), async (sql) => {
    const [row] = await sql<{ pid: number }[]>`select pg_backend_pid() as pid`;
    const pid = row?.pid ?? 0;
    // Stopped, it cannot notice that its server is gone, and holds on to the shared memory.
    process.kill(pid, "SIGSTOP");
    process.kill(killed.pid, "SIGKILL");
    await dead(killed.pid);
    const again = start();
    const refused = () => readFileSync(`${dir}.log`, "utf8").includes("pre-existing shared memory block");
    while (!refused()) await Bun.sleep(5);
    process.kill(pid, "SIGKILL");
    return await again;
  });
  const again = await connection;
  expect(again.adopted).toBe(false);
  await ask(again.port);
});

test("a lock file that names a living process of somebody else is not believed", async () => {
  const first = await start();
  const lock = readFileSync(join(dir, "postmaster.pid"), "utf8");
  await stopPostgres(dir);
  writeFileSync(join(dir, "postmaster.pid"), lock.replace(String(first.pid), String(process.pid)));
  expect(running(dir)).toBeUndefined();
  expect((await start()).adopted).toBe(false);
});

test("a start that was killed inside of initdb leaves nothing that the next one trips over", async () => {
  const other = join(home, "other/data");
  const script = `const { startPostgres } = await import(${JSON.stringify(join(import.meta.dir, "embedded.ts"))});
    await startPostgres({ dir: ${JSON.stringify(other)}, password: "x", settings: { fsync: "off" } });`;
  const child = Bun.spawn([process.execPath, "-e", script], { stdio: ["ignore", "ignore", "ignore"] });
  const begun = () => existsSync(join(home, "other")) && readdirSync(join(home, "other")).some(isHalf);
  while (!begun()) await Bun.sleep(1);
  child.kill("SIGKILL");
  await child.exited;
  expect(existsSync(other)).toBe(false);
  try {
    const { port } = await startPostgres({ dir: other, password, settings: quick });
    expect((await ask(port)).length).toBe(1);
  } finally {
    await stopPostgres(other);
  }
});

test("a port in use is a clear error when it was asked for", async () => {
  const taken = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  try {
    const failed = startPostgres({ dir, port: taken.port, password, settings: quick });
    expect(failed).rejects.toThrow("Address already in use");
  } finally {
    taken.stop(true);
  }
});

test("a setting that Postgres refuses is named in the error", async () => {
  expect(startPostgres({ dir, password, settings: { no_such: 1 } })).rejects.toThrow("no_such");
});

test("the password is in no file and no argument", async () => {
  const { pid } = await start();
  expect(readFileSync(`/proc/${pid}/cmdline`, "utf8")).not.toContain(password);
  expect(readFileSync(`/proc/${pid}/environ`, "utf8")).not.toContain(password);
  expect(readFileSync(`${dir}.log`, "utf8")).not.toContain(password);
  expect(readdirSync(home).filter((name) => name.startsWith("data.") && name !== "data.log")).toEqual([]);
});
