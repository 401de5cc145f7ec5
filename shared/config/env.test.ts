import { describe, expect, test } from "bun:test";
import { z } from "zod";
import { flag, list, milliseconds, parseEnv } from "./env.ts";

const schema = z.object({
  URL_A: z.url(),
  SECRET: z.string().min(16),
  WAIT: milliseconds(50),
  LIST: list,
  ON: flag(false),
});

describe("parseEnv", () => {
  test("reads values and their defaults; an empty variable is one that is not set", () => {
    const env = { URL_A: "http://a", SECRET: "0123456789abcdef", WAIT: "", LIST: "a, b,,c", ON: "1" };
    expect(parseEnv(schema, env)).toEqual({
      URL_A: "http://a",
      SECRET: "0123456789abcdef",
      WAIT: 50,
      LIST: ["a", "b", "c"],
      ON: true,
    });
  });

  test("names everything that is wrong in one message, and no value", () => {
    const wrong = () => parseEnv(schema, { SECRET: "hunter2", WAIT: "soon" });
    expect(wrong).toThrow(/URL_A[^]*SECRET[^]*WAIT/);
    expect(wrong).not.toThrow(/hunter2|soon/);
  });
});
