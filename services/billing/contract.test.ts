import { describe, expect, test } from "bun:test";
import { serverActions } from "#shared/contract/authority.ts";
import { type GatedAction, gateMatrix, Limits, plans, ServerBillingState } from "./contract.ts";

// The product's table, written down a second time on purpose: row by row, as an operator reads it.
const always: GatedAction[] = ["server.read", "server.delete", "power.stop", "files.read", "backups.read"];
const whilePaid: GatedAction[] = [
  "power.start",
  "power.restart",
  "files.write",
  "backups.restore",
  "backups.delete",
  "backups.lock",
  "schedules.write",
  "console.view",
  "console.input",
  "ide.use",
];
const whileCurrent: GatedAction[] = ["backups.create", "server.create"];

const openIn = (action: GatedAction) =>
  ServerBillingState.options.filter((state) => gateMatrix[action].includes(state));

describe("the billing matrix", () => {
  test.each(always)("%s is open in every state", (action) => {
    expect(openIn(action)).toEqual(["allowed", "backup_blocked", "suspended_shutdown", "retained"]);
  });

  test.each(whilePaid)("%s closes with the suspension", (action) => {
    expect(openIn(action)).toEqual(["allowed", "backup_blocked"]);
  });

  test.each(whileCurrent)("%s closes with the first block", (action) => {
    expect(openIn(action)).toEqual(["allowed"]);
  });

  test("decides on every action there is, and on no other", () => {
    const known = [...Object.keys(serverActions), "server.create"].toSorted();
    expect(Object.keys(gateMatrix).toSorted()).toEqual(known);
    expect([...always, ...whilePaid, ...whileCurrent].toSorted() as string[]).toEqual(known);
  });
});

test("a dearer plan never includes less", () => {
  const { free, starter, pro, performance } = plans;
  for (const [less, more] of [
    [free, starter],
    [starter, pro],
    [pro, performance],
  ] as const)
    for (const key of Limits.keyof().options) expect(more[key]).toBeGreaterThanOrEqual(less[key]);
});
