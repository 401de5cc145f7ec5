import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync, statSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { asAdmin } from "./admin.ts";
import { running } from "./embedded.ts";

setDefaultTimeout(60_000); // initdb is quick, except on a busy machine

let home: string;
let dir: string;
let name: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "zpack-test-server-"));
  dir = join(home, "server");
  name = `zpack-test-${crypto.randomUUID()}`;
});
afterAll(() => rm(home, { recursive: true }));

const script = join(import.meta.dir, "test-server.ts");
const server = () =>
  Bun.spawn([process.execPath, script, name, dir, "300"], {
    stdio: ["ignore", "ignore", "ignore"],
    env: process.env,
  });

/** A process that uses the server: it says "ready" once the server did, and stays. */
function user() {
  const code = `process.stdin.resume(); const open = () => Bun.connect({ unix: "\\0" + ${JSON.stringify(name)}, socket: {
    data: () => console.log("ready"), close: () => setTimeout(open, 5), connectError: () => setTimeout(open, 5) } }).catch(() => {});
    await open();`;
  return Bun.spawn([process.execPath, "-e", code], { stdin: "pipe", stdout: "pipe", stderr: "ignore" });
}
async function ready(process: ReturnType<typeof user>): Promise<void> {
  for await (const chunk of process.stdout) if (new TextDecoder().decode(chunk).includes("ready")) return;
}

test("it serves while somebody is there, alone under its name, and is gone with the last user, killed or not", async () => {
  const first = server();
  const users = [user(), user()];
  await Promise.all(users.map(ready));
  expect(await server().exited).not.toBe(0); // the name is taken
  expect(statSync(join(dir, "url")).mode & 0o777).toBe(0o600);
  expect((await asAdmin(readFileSync(join(dir, "url"), "utf8"), (sql) => sql`select 1`)).length).toBe(1);

  users[0]?.kill("SIGKILL");
  await users[0]?.exited;
  expect(running(join(dir, "data"))?.ready).toBe(true);
  users[1]?.kill("SIGKILL");
  await users[1]?.exited;
  expect(await first.exited).toBe(0);
  expect(existsSync(dir)).toBe(false);
});

test("a server that was killed leaves a Postgres that the next one stops before it starts its own", async () => {
  const first = server();
  const early = user();
  await ready(early);
  const orphan = running(join(dir, "data"))?.pid;
  early.kill("SIGKILL");
  first.kill("SIGKILL");
  await Promise.all([early.exited, first.exited]);
  const second = server();
  const late = user();
  await ready(late);
  expect(running(join(dir, "data"))?.pid).not.toBe(orphan);
  late.kill("SIGKILL");
  expect(await second.exited).toBe(0);
  expect(existsSync(dir)).toBe(false);
});
