import { expect, test } from "bun:test";
import type { Fault } from "#shared/fault/fault.ts";
import { manualClock } from "#shared/testing/clock.ts";
import { readInput } from "./input.ts";
import { exchangeForTest } from "./testing/pipeline.ts";

const read = readInput({ bodyMs: 1_000, clock: manualClock() });

test("400: a route that takes secrets reads nothing from the address", async () => {
  const request = new Request("http://localhost/api/auth/login?identifier=ada&password=x", {
    method: "POST",
  });
  const refused = await Promise.resolve(read({ ...exchangeForTest("login"), request })).then(
    () => expect.unreachable(),
    (fault: Fault) => fault,
  );
  expect(refused).toMatchObject({
    status: 400,
    code: "request.invalid",
    details: { issues: [{ path: "identifier" }] },
  });
});
