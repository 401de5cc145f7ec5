import { describe, expect, test } from "bun:test";
import { readCookie } from "./cookie.ts";

const read = (header: string | null) => readCookie(header, "zpack_refresh");

describe("a cookie", () => {
  test.each<[string | null, string | undefined]>([
    [null, undefined],
    ["", undefined],
    ["zpack_refresh=abc-_1", "abc-_1"],
    ["a=1; zpack_refresh=abc; b=2", "abc"],
    [" zpack_refresh=abc ;b=2", "abc"],
    ["zpack_refresh", undefined],
    ["zpack_refresh=", undefined],
    ["ZPACK_REFRESH=abc", undefined],
    ["xzpack_refresh=abc", undefined],
    ["zpack_refresh2=abc", undefined],
    ['zpack_refresh="abc"', undefined],
    ["zpack_refresh=a b", undefined],
    ["zpack_refresh=a=b", undefined],
    ["zpack_refresh=a%0d%0a", undefined],
    [`zpack_refresh=${"a".repeat(257)}`, undefined],
  ])("%j is read as %j", (header, value) => {
    expect(read(header)).toBe(value);
  });

  test("that is there twice is refused, even with the same value", () => {
    for (const header of ["zpack_refresh=a; zpack_refresh=b", "zpack_refresh=a; zpack_refresh=a"])
      expect(() => read(header)).toThrow("request.invalid");
  });
});
