import { expect, test } from "bun:test";
import { parseProperties, withProperties } from "./properties.ts";

test("reads values with the escapes and separators of the format", () => {
  const text =
    "# a comment\nmotd=\\u00a7aHello \\\\ all\\!\\nline two\r\nmax-players : 7\n  empty=\nno separator\n!also a comment\n";
  expect(parseProperties(text)).toEqual({ motd: "§aHello \\ all!\nline two", "max-players": "7", empty: "" });
});

test("changes values in place and leaves the rest as it was written", () => {
  const text = "# mine\nserver-port=1\r\nmotd=x\nmy-key = spaced\n";
  expect(withProperties(text, { "server-port": "25570", extra: "1" })).toBe(
    "# mine\nserver-port=25570\nmotd=x\nmy-key = spaced\nextra=1\n",
  );
});

test("what is written is read back as it was", () => {
  const values = { motd: "§a€\\n real\nbreak\r" };
  expect(parseProperties(withProperties("", values))).toEqual(values);
});
