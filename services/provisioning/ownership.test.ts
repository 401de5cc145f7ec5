import { expect, test } from "bun:test";
import { isOwnedBy, ownerMark, ownerTag } from "./ownership.ts";

const owner = { installation: "i1", instanceId: "a", operationId: "prv_1" };
const theirs = { description: "web server", tags: ["zpack"] };

test("either mark proves ownership, for exactly one installation, instance and operation", () => {
  expect(ownerMark(owner)).toBe("zpack:i1:a:prv_1");
  expect(isOwnedBy({ ...theirs, description: "zpack:i1:a:prv_1\n" }, owner)).toBe(true);
  expect(isOwnedBy({ ...theirs, tags: ["blue", ownerTag(owner)] }, owner)).toBe(true);
  for (const other of [{ installation: "i2" }, { instanceId: "b" }, { operationId: "prv_2" }])
    expect(isOwnedBy({ ...theirs, description: ownerMark({ ...owner, ...other }) }, owner)).toBe(false);
  for (const other of [{ installation: "i2" }, { instanceId: "b" }])
    expect(isOwnedBy({ ...theirs, tags: [ownerTag({ ...owner, ...other })] }, owner)).toBe(false);
  expect(isOwnedBy(theirs, owner)).toBe(false);
});
