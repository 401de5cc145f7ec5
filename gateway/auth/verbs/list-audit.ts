import type { z } from "zod";
import { verb } from "#shared/contract/implement.ts";
import { withTx } from "#shared/db/tx.ts";
import { signedIn } from "../accounts.ts";
import { gateway } from "../contract.ts";
import type { Deps } from "../service.ts";
import { type AuditRow, listAudit as readAudit } from "../store/audit.ts";

type Entry = z.input<typeof gateway.routes.listAudit.reply>["entries"][number];

export const listAudit = verb(
  gateway,
  "listAudit",
)(({ db }: Deps) => async ({ input, ctx }) => {
  const { id, role, scopes } = signedIn(ctx.actor);
  // A key that an operator made to read his own lines does not open everybody's.
  const all = role === "operator" && (scopes?.includes("admin:read") ?? true);
  const { account, action, target, limit, cursor } = input;
  const of = all ? account : id;
  const filter = { of, action, target, before: momentOf(cursor), limit: limit + 1 };
  const found = await withTx(db, (tx) => readAudit(tx, filter), { readOnly: true });
  const page = found.slice(0, limit);
  const last = page.at(-1);
  return {
    ok: true,
    entries: page.map((row) => (all ? entryOf(row) : shownTo(id, entryOf(row)))),
    next: last && found.length > limit ? `${last.at.getTime()}_${last.id}` : null,
  };
});

function entryOf({ at, ...row }: AuditRow): Entry {
  return { ...row, at: at.toISOString(), apiKey: row.via?.startsWith("key_") ? row.via : null };
}

/** An account learns that somebody else acted on what is its own, and not from where that one works. */
function shownTo(account: string, entry: Entry): Entry {
  if (entry.actor === null || entry.actor === account) return entry;
  return { ...entry, via: null, apiKey: null, address: null };
}

function momentOf(cursor: string | undefined): { at: Date; id: string } | undefined {
  if (cursor === undefined) return undefined;
  const cut = cursor.indexOf("_");
  return { at: new Date(Number(cursor.slice(0, cut))), id: cursor.slice(cut + 1) };
}
