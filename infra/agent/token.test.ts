import { expect, test } from "bun:test";
import { admissionOf, readAdmission } from "./token.ts";
import { rejectionOf } from "./testing/rejection.ts";

const token = "0123456789abcdef";
const input = (...parts: string[]) => new Blob(parts).stream();

test("the first line is the token, however it is ended", async () => {
  for (const text of [token, `${token}\n`, `${token}\nmore`])
    expect(await readAdmission(input(text))).toEqual(admissionOf(token));
});

test("a token that comes in parts is put together", async () => {
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const part of [token.slice(0, 5), token.slice(5), "\n"])
        controller.enqueue(new TextEncoder().encode(part));
      controller.close();
    },
  });
  expect(await readAdmission(stream)).toEqual(admissionOf(token));
});

test.each(["", "short", `${token} with blanks`, "x".repeat(513), "x".repeat(5000)])(
  "%p is no token, and is not repeated",
  async (text) => {
    const error = await rejectionOf(readAdmission(input(text)));
    expect(String(error)).toContain("no token");
    if (text !== "") expect(String(error)).not.toContain(text);
  },
);
