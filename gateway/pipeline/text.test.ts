import { describe, expect, test } from "bun:test";
import { checkFields, parseQuery } from "./text.ts";

describe("a query", () => {
  test.each<[string, Record<string, string>]>([
    ["", {}],
    ["&&", {}],
    ["a=1&b=2", { a: "1", b: "2" }],
    ["a", { a: "" }],
    ["a=", { a: "" }],
    ["a=b=c", { a: "b=c" }],
    ["a+b=c+d%2B", { "a b": "c d+" }],
    ["%C3%A9=%F0%9F%98%80", { é: "😀" }],
  ])("%j is read as %j", (text, query) => {
    expect(parseQuery(text)).toEqual(query);
  });

  test.each<[string, string]>([
    ["a=1&a=2", "a: is there twice"],
    ["a=1&%61=2", "a: is there twice"],
    ["a=%", "a: is not percent-encoded"],
    ["a=%FF", "a: is not percent-encoded"],
    ["a=%ED%A0%80", "a: is not percent-encoded"],
    ["%FF=1", "has no readable name"],
    ["=1", "has no readable name"],
    [Array.from({ length: 65 }, (_, i) => i).join("&"), "more than 64"],
  ])("%j is refused: %s", (text, message) => {
    expect(() => parseQuery(text)).toThrow(message);
  });

  test("has no effect beyond itself", () => {
    const query = parseQuery("__proto__=1&constructor=2");
    expect(Object.getPrototypeOf(query)).toBe(Object.prototype);
    expect(Object.keys(query)).toEqual(["__proto__", "constructor"]);
  });
});

describe("fields", () => {
  const nested = (depth: number): Record<string, unknown> => (depth === 0 ? {} : { a: nested(depth - 1) });

  test("may be nested so deep, and no deeper", () => {
    expect(() => checkFields(nested(5), 5)).not.toThrow();
    expect(() => checkFields(nested(6), 5)).toThrow("nested too deeply");
  });

  test.each<[string, Record<string, unknown>, string]>([
    ["NUL", { a: "x\0" }, "a: "],
    ["half of a character", { a: ["ok", "\ud800"] }, "a.1: "],
    ["such a name", { a: { "b\udfff": 1 } }, "a.b\ufffd: "],
  ])("hold no %s, and the one that does is named", (_, fields, named) => {
    expect(() => checkFields(fields, 5)).toThrow(named);
  });

  test("are looked at in a time that grows with them alone", () => {
    const fields = { ["k".repeat(100_000)]: Array.from({ length: 50_000 }, () => "x") };
    const began = performance.now();
    checkFields(fields, 5);
    expect(performance.now() - began).toBeLessThan(1_000);
  });
});
