import { verb } from "#shared/contract/implement.ts";
import { withTx } from "#shared/db/tx.ts";
import { servers } from "../contract.ts";
import type { Deps } from "../service.ts";
import { readInventory } from "../store.ts";

export const listInventory = verb(
  servers,
  "listInventory",
)(({ db, clock, config }: Deps) => async ({ input: { after = 0, limit } }) => {
  const now = new Date(clock.now());
  const rows = await withTx(db, (tx) => readInventory(tx, { after, limit, now }));
  const { game, dev } = config.VMID_RANGES;
  const range = (ctype: "game" | "dev") => (o: { from: number; to: number }) => ({
    ctype,
    first: o.from,
    last: o.to,
  });
  return {
    rows: [...rows],
    next: rows.length < limit ? null : (rows.at(-1)?.vmid ?? null),
    ranges: [...game.map(range("game")), ...dev.map(range("dev"))],
  };
});
