import { expect, test } from "bun:test";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureSchema } from "#infra/postgres/roles.ts";
import { asAdmin } from "#infra/postgres/admin.ts";
import { mechanismMigrations, migrate } from "#shared/db/migrate.ts";
import { withTx } from "#shared/db/tx.ts";
import { postgresForTest } from "#shared/testing/postgres.ts";

const dir = new URL("./migrations", import.meta.url).pathname;

test("accounts, sessions and the log of the first release are kept", async () => {
  const first = mkdtempSync(join(tmpdir(), "zpack-migrations-"));
  copyFileSync(join(dir, "0001_create_accounts.sql"), join(first, "0001_create_accounts.sql"));
  const folders = (of: string) => [mechanismMigrations, { name: "gateway", dir: of }];
  // Begun anew in the database that all tests have: a template of its own would take seconds.
  await using pg = await postgresForTest({ schema: "gateway", folders: folders(dir) });
  await asAdmin(pg.adminUrl, async (sql) => {
    await sql`drop schema gateway cascade`;
    await ensureSchema(sql, "gateway");
  });
  await migrate(pg.db, folders(first));
  rmSync(first, { recursive: true });
  await withTx(pg.db, async (tx) => {
    await tx`insert into account (id, email, username, password_hash, role)
      values ('acc_1', 'Ada@example.org', 'Ada', 'h', 'customer'), ('acc_2', 'bob@example.org', 'bob', 'h', 'operator')`;
    await tx`insert into session (id, account_id, expires_at) values ('ses_1', 'acc_1', now() + interval '1 hour')`;
    await tx`insert into audit (id, actor, action, target, created_at)
      values ('aud_1', 'acc_1', 'session.login', 'acc_1', '2030-01-01T00:00:00.123456Z'),
        ('aud_2', null, 'session.login_failed', null, '2030-01-01T00:00:01Z')`;
    await tx`insert into billing_state (account_id, version, billing_status, suspended_at)
      values ('acc_1', 3, 'active', now()), ('acc_2', 4, 'retained', null), ('acc_3', 5, 'retained', now())`;
  });
  expect(await migrate(pg.db, folders(dir))).not.toContain("gateway/0001_create_accounts.sql");
  await withTx(pg.db, async (tx) => {
    expect([...(await tx`select id, username from account order by id`)]).toEqual([
      { id: "acc_1", username: "Ada" },
      { id: "acc_2", username: "bob" },
    ]);
    expect([...(await tx`select id, generation, ended_at from session`)]).toEqual([
      { id: "ses_1", generation: 1, endedAt: null },
    ]);
    // Pages of the log are cut at whole milliseconds.
    expect([
      ...(await tx`select id, at, via, details, status, at = date_trunc('ms', at) as whole from audit order by at`),
    ]).toEqual([
      {
        id: "aud_1",
        at: new Date("2030-01-01T00:00:00.123Z"),
        via: null,
        details: {},
        status: null,
        whole: true,
      },
      {
        id: "aud_2",
        at: new Date("2030-01-01T00:00:01Z"),
        via: null,
        details: {},
        status: null,
        whole: true,
      },
    ]);
    expect([...(await tx`select account_id, billing_status from billing_state order by account_id`)]).toEqual(
      [
        { accountId: "acc_1", billingStatus: "suspended" },
        { accountId: "acc_2", billingStatus: "overdue_warning" },
        { accountId: "acc_3", billingStatus: "retained" },
      ],
    );
  });
});
