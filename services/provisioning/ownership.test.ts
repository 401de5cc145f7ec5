import { expect, test } from "bun:test";
import { isOfInstallation, isOfInstance, isOwnedBy, ownerMark, ownerTag } from "./ownership.ts";

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

test("who does not know the operation asks for the instance; its name in full, not the beginning of one", () => {
  const { operationId: _, ...instance } = owner;
  expect(isOfInstance({ ...theirs, description: "zpack:i1:a:prv_9\n" }, instance)).toBe(true);
  expect(isOfInstance({ ...theirs, tags: [ownerTag(owner)] }, instance)).toBe(true);
  for (const description of ["zpack:i1:ab:prv_1", "zpack:i2:a:prv_1", "zpack:i1:a", "x zpack:i1:a:prv_1"])
    expect(isOfInstance({ ...theirs, description }, instance)).toBe(false);
  expect(isOfInstance({ ...theirs, tags: ["zpack-i1-ab", "zpack-i2-a"] }, instance)).toBe(false);
});

test("a container is the installation's by its name in a mark, and by no other's name that begins like it", () => {
  const instanceId = "01890000-0000-7000-8000-000000000001";
  const marked = { ...owner, instanceId };
  expect(isOfInstallation({ ...theirs, description: ownerMark(marked) }, "i1")).toBe(true);
  expect(isOfInstallation({ ...theirs, tags: ["blue", ownerTag(marked)] }, "i1")).toBe(true);
  const longer = { ...marked, installation: "i1-b" };
  expect(isOfInstallation({ description: ownerMark(longer), tags: [ownerTag(longer)] }, "i1")).toBe(false);
  expect(isOfInstallation(theirs, "i1")).toBe(false);
  expect(isOfInstallation({ ...theirs, tags: ["zpack-i1-"] }, "i1")).toBe(false);
});
