import { expect, test } from "bun:test";
import { sagaOf, step } from "#shared/testing/saga-steps.ts";

test("a saga needs steps, and a name for each", () => {
  expect(() => sagaOf([])).toThrow("has no steps");
  expect(() => sagaOf([step("a"), step("a")])).toThrow("two steps of one name");
});
