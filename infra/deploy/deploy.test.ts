import { describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { product } from "#infra/dev/product.ts";
import { loadSecrets } from "#infra/dev/secrets.ts";
import { meshMembers } from "#infra/dev/stack.ts";
import { startPostgres, stopPostgres, superuser } from "#infra/postgres/embedded.ts";
import { processes } from "#infra/processes.ts";
import { connectDb } from "#shared/db/connect.ts";
import { withTx } from "#shared/db/tx.ts";
import { natsForTest } from "#shared/testing/nats.ts";
import { prepare } from "./prepare.ts";
import { environmentFile, unitOf } from "./units.ts";

describe("a unit", () => {
  test("of every process starts its entry with its own settings, after those that it needs", () => {
    for (const spec of processes) {
      const unit = unitOf(spec, processes);
      expect(unit).toContain(`/opt/zpack/${spec.entry}\n`);
      expect(unit).toContain(`EnvironmentFile=/etc/zpack/${spec.name}.env`);
    }
    const gateway = processes.find(({ kind }) => kind === "gateway");
    expect(gateway && unitOf(gateway, processes)).toContain("zpack-servers.service");
  });

  test("of the host leaves agents alone when it stops, and no other runs as root", () => {
    for (const spec of processes) {
      const unit = unitOf(spec, processes);
      expect(unit.includes("KillMode=process")).toBe(spec.kind === "host");
      expect(unit.includes("User=root")).toBe(spec.kind === "host");
    }
  });

  test("reads values with spaces, quotes and dollars as they are", () => {
    expect(environmentFile({ A: 'a b"c', B: "$x\\y" })).toBe('A="a b\\"c"\nB="\\$x\\\\y"\n');
  });
});

describe("prepare", () => {
  test("makes roles and streams on the operator's own servers, and one private file per process", async () => {
    const home = mkdtempSync(join(tmpdir(), "zpack-deploy-"));
    const data = join(home, "operators-postgres");
    const password = "an operator's own";
    try {
      const { port } = await startPostgres({ dir: data, password, settings: { fsync: "off" } });
      const { secrets } = loadSecrets(home, meshMembers(processes));
      const config = product.authorization(
        (user) => (user === "admin" ? secrets.natsAdmin : secrets.nats[user]) ?? "",
      );
      await using nats = await natsForTest({ config });
      const folder = join(home, "etc");
      const env = {
        ZPACK_HOME: home,
        DATABASE_URL: `postgres://${superuser}:${encodeURIComponent(password)}@127.0.0.1:${port}/postgres`,
        NATS_URL: nats.url,
        LOCAL_HOST_PORT: "18800",
      };
      await prepare({ root: home, env, folder, product, print: () => {} });
      await prepare({ root: home, env, folder, product, print: () => {} });
      for (const { name } of processes)
        expect(statSync(join(folder, `${name}.env`)).mode & 0o777).toBe(0o600);
      const servers = readFileSync(join(folder, "servers.env"), "utf8");
      expect(servers).not.toContain(password);
      expect(servers).not.toContain(secrets.apiAuth);
      const url = /DATABASE_URL="([^"]+)"/.exec(servers)?.[1] ?? "";
      const db = connectDb({ url, schema: "servers", name: "test" });
      const [row] = await withTx(db, (tx) => tx<{ role: string }[]>`select current_user as role`);
      expect(row?.role).toBe("svc_servers");
      await db.close(0);
    } finally {
      await stopPostgres(data);
      rmSync(home, { recursive: true, force: true });
    }
  }, 60_000);

  test("says what is missing before it touches anything", () => {
    expect(
      prepare({ root: "/", env: { ZPACK_HOME: "/nowhere" }, folder: "/nowhere", product, print: () => {} }),
    ).rejects.toThrow("DATABASE_URL and NATS_URL");
  });
});
