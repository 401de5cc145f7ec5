import { expect, test } from "bun:test";

test("a part that does not stop is left behind, and leaves time for the parts below it", async () => {
  const serving = Promise.withResolvers<void>();
  const child = Bun.spawn(
    [process.execPath, "--no-env-file", new URL("./lifecycle.fixture.ts", import.meta.url).pathname],
    { env: {}, stdin: "ignore", stdout: "pipe", ipc: () => serving.resolve() },
  );
  await serving.promise;
  const began = performance.now();
  child.kill("SIGTERM");
  const text = await new Response(child.stdout).text();
  const lines = text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { msg: string; step?: string });
  expect(lines.map(({ msg, step }) => (step ? `${step}: ${msg}` : msg))).toEqual([
    "stopping",
    "also stuck: a part did not stop in time",
    "failing: a part did not stop cleanly",
    "stuck: a part did not stop in time",
    "the quick part stops",
    "stopped",
  ]);
  expect(await child.exited).toBe(0);
  // Two steps of 200 ms would be more than the 300 ms for all.
  expect(performance.now() - began).toBeLessThan(5_000);
});
