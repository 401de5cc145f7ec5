import { createHash } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Db, Tx } from "./connect.ts";
import { withTx } from "./tx.ts";

/** Files `0001_imperative.sql` in `dir`; `name` is what the record of applied files calls the folder. */
export type MigrationFolder = { name: string; dir: string };

/** The tables of the mechanism itself: every service's schema has them. */
export const mechanismMigrations: MigrationFolder = {
  name: "mechanism",
  dir: join(import.meta.dir, "migrations"),
};

type File = { folder: string; file: string; text: string; sha256: string };

/**
 * Brings the schema up to date, folder by folder, file by file, in one transaction: all of it or nothing. Returns what
 * it applied, as `folder/file`. Several processes may call it at once; one works, the others wait and find it done.
 * Forward only: a changed, missing or inserted file is refused, since the schema would no longer follow from the files.
 */
export async function migrate(db: Db, folders: readonly MigrationFolder[]): Promise<string[]> {
  const files = (await Promise.all(folders.map(read))).flat();
  return await withTx(
    db,
    async (tx) => {
      await tx`select set_config('statement_timeout', '0', true), set_config('lock_timeout', '0', true)`;
      await tx`select pg_advisory_xact_lock(hashtextextended(${`migrate ${db.schema}`}, 0))`;
      await tx`
        create table if not exists migration (
          folder text not null, file text not null, sha256 text not null,
          created_at timestamptz not null default now(), updated_at timestamptz not null default now(),
          primary key (folder, file))`;
      const pending: File[] = [];
      for (const { name } of folders) {
        const mine = files.filter((file) => file.folder === name);
        pending.push(...(await missing(tx, name, mine)));
      }
      for (const file of pending) await apply(tx, file);
      return pending.map(({ folder, file }) => `${folder}/${file}`);
    },
    { timeoutMs: 10 * 60_000 },
  );
}

async function read({ name, dir }: MigrationFolder): Promise<File[]> {
  const names = (await readdir(dir)).filter((file) => file.endsWith(".sql")).toSorted();
  const numbers = new Set<string>();
  return await Promise.all(
    names.map(async (file) => {
      const number = /^(\d{4})_[a-z0-9_]+\.sql$/.exec(file)?.[1];
      if (!number) throw new Error(`migration ${name}/${file} is not named 0001_imperative.sql`);
      if (numbers.has(number)) throw new Error(`migration ${name}/${file} repeats a number`);
      numbers.add(number);
      const text = await Bun.file(join(dir, file)).text();
      return { folder: name, file, text, sha256: createHash("sha256").update(text).digest("hex") };
    }),
  );
}

/** The files not applied yet, after a check that those applied are the first ones of the folder, unchanged. */
async function missing(tx: Tx, folder: string, files: File[]): Promise<File[]> {
  const applied = await tx<{ file: string; sha256: string }[]>`
    select file, sha256 from migration where folder = ${folder} order by file`;
  applied.forEach((row, index) => {
    const file = files[index];
    if (!files.some((each) => each.file === row.file)) {
      throw new Error(
        `migration ${folder}/${row.file} was applied but is missing: the database is newer than the code`,
      );
    }
    if (file?.file !== row.file)
      throw new Error(`migration ${folder}/${file?.file} was put before an applied one`);
    if (file.sha256 !== row.sha256)
      throw new Error(`migration ${folder}/${row.file} was changed after it was applied`);
  });
  return files.slice(applied.length);
}

async function apply(tx: Tx, { folder, file, text, sha256 }: File): Promise<void> {
  try {
    await tx.unsafe(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`migration ${folder}/${file} failed: ${reason}`, { cause: error });
  }
  await tx`insert into migration ${tx({ folder, file, sha256 })}`;
}
