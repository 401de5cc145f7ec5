import { expect, test } from "bun:test";
import { hostnameOf } from "./hostname.ts";

test.each([
  ["My World", "my-world-5000"],
  ["  Ünïcode -- & Co. ", "unicode-co-5000"],
  ["Ada's", "adas-5000"],
  ["世界", "server-5000"],
  ["---", "server-5000"],
  ["dev", "server-5000"],
  ["x".repeat(64), `${"x".repeat(58)}-5000`],
  [`${"x".repeat(57)} y`, `${"x".repeat(57)}-5000`],
])("%j becomes %s", (name, hostname) => {
  expect(hostnameOf(name, 5000)).toBe(hostname);
  expect(hostname.length).toBeLessThanOrEqual(63);
  expect(hostname).toMatch(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/);
});
