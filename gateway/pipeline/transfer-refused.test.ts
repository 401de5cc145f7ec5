import { describe, expect, test } from "bun:test";
import { chunks, transferForTest } from "./testing/pipeline.ts";

const problem = (response: Response): Promise<unknown> => response.json();

describe("the agent refuses", () => {
  test.each<[number, number, string, boolean]>([
    [400, 400, "upstream.rejected", false],
    [403, 403, "upstream.rejected", false],
    [404, 404, "upstream.rejected", false],
    [409, 409, "upstream.rejected", false],
    [412, 412, "upstream.rejected", false],
    [413, 413, "upstream.rejected", false],
    [416, 416, "upstream.rejected", false],
    [422, 422, "upstream.rejected", false],
    [503, 503, "upstream.rejected", true],
    [401, 502, "upstream.failed", true],
    [418, 502, "upstream.failed", true],
    [302, 502, "upstream.failed", true],
    [500, 502, "upstream.failed", true],
    [504, 502, "upstream.failed", true],
  ])("with %d: %d %s", async (said, status, code, retryable) => {
    const body = JSON.stringify({ error: "The agent's own sentence", code: "x" });
    await using t = transferForTest(
      () => new Response(body, { status: said, headers: { location: "/evil" } }),
    );
    const response = await fetch(t.url, { redirect: "manual" });
    expect(response.status).toBe(status);
    expect(await problem(response)).toMatchObject({
      code,
      retryable,
      error: "The agent's own sentence",
      details: { upstream: { service: "agent", status: said, body } },
    });
  });

  test("at length: 16 KiB of it are kept, the rest is not read", async () => {
    const words = chunks(1_000);
    await using t = transferForTest(() => new Response(words.body, { status: 500 }));
    const answer = await problem(await fetch(t.url));
    expect(answer).toMatchObject({ details: { upstream: { body: expect.stringMatching(/^.{16384}$/s) } } });
    expect(words.produced()).toBeLessThan(100);
  });

  test("an upload before it has seen all of it: the client hears of it at once, and the upload ends", async () => {
    await using t = transferForTest(() => Response.json({ error: "Too large" }, { status: 413 }));
    const file = chunks(1_000);
    const response = await fetch(t.url, { method: "PUT", body: file.body });
    expect([response.status, await problem(response)]).toMatchObject([413, { error: "Too large" }]);
    expect(file.produced()).toBeLessThan(500);
  });
});
