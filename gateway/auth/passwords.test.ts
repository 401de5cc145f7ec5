import { expect, test } from "bun:test";
import { createPasswords } from "./passwords.ts";

const never = new AbortController().signal;
const cheap = { memoryKiB: 1024, passes: 1 };

test("a hash is argon2id with the given cost, matches its password and no other", async () => {
  const passwords = await createPasswords(cheap);
  const hash = await passwords.hash("correct horse", never);
  expect(hash).toStartWith("$argon2id$v=19$m=1024,t=1,p=1$");
  expect(await passwords.matches("correct horse", hash, never)).toBe(true);
  expect(await passwords.matches("correct horsE", hash, never)).toBe(false);
  expect(await passwords.matches("correct horse", undefined, never)).toBe(false);
});

test("the default cost is what is recommended for argon2id", async () => {
  const hash = await (await createPasswords()).hash("correct horse", never);
  expect(hash).toStartWith("$argon2id$v=19$m=19456,t=2,p=1$");
});

test("callers wait for their turn; one too many is sent away, and all others are served", async () => {
  const passwords = await createPasswords({ ...cheap, concurrency: 1, waiting: 2 });
  const [first, second, third, fourth] = Array.from({ length: 4 }, (_, i) => passwords.hash(`p${i}`, never));
  expect(fourth).rejects.toMatchObject({ code: "service.unavailable", retryable: true, retryAfter: 1 });
  for (const hash of await Promise.all([first, second, third])) expect(hash).toStartWith("$argon2id$");
  expect(await passwords.hash("later", never)).toStartWith("$argon2id$");
});

test("whoever gives up while waiting frees the place and is never run", async () => {
  const passwords = await createPasswords({ ...cheap, concurrency: 1, waiting: 1 });
  const running = passwords.hash("a", never);
  const impatient = new AbortController();
  const waiting = passwords.hash("b", impatient.signal);
  impatient.abort();
  const inItsPlace = passwords.hash("c", never);
  expect(waiting).rejects.toMatchObject({ code: "service.timeout" });
  await Promise.all([running, inItsPlace]);
  expect(passwords.hash("d", impatient.signal)).rejects.toMatchObject({ code: "service.timeout" });
});
