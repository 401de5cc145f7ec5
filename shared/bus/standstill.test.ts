import { expect, test } from "bun:test";
import { Standstill } from "./standstill.ts";

/** A server that answers when it is told to, in the order in which it was asked. */
function flushing() {
  const asked: PromiseWithResolvers<void>[] = [];
  const flush = () => {
    const answer = Promise.withResolvers<void>();
    asked.push(answer);
    return answer.promise;
  };
  return { flush, next: () => asked.shift() };
}

test("what is read after a standstill may be as old as that, until the server has answered or the link is lost", async () => {
  let now = 0;
  const nc = flushing();
  const standstill = new Standstill(nc, () => now);
  now += 999;
  expect(standstill.age()).toBe(0);
  now += 2_000;
  expect(standstill.age()).toBe(2_000);
  nc.next()?.resolve();
  await Promise.resolve();
  expect(standstill.age()).toBe(0);
  now += 1_000;
  expect(standstill.age()).toBe(1_000);
  nc.next()?.reject(new Error("lost"));
  await Promise.resolve();
  expect(standstill.age()).toBe(0);
  standstill.end();
});

test("an answer from before the last standstill says nothing of what came meanwhile", async () => {
  let now = 0;
  const nc = flushing();
  const standstill = new Standstill(nc, () => now);
  now += 1_000;
  expect(standstill.age()).toBe(1_000);
  now += 5_000;
  expect(standstill.age()).toBe(5_000);
  nc.next()?.resolve();
  await Promise.resolve();
  expect(standstill.age()).toBe(5_000);
  nc.next()?.resolve();
  await Promise.resolve();
  expect(standstill.age()).toBe(0);
  standstill.end();
});
