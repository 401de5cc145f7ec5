import { expect, test } from "bun:test";
import { AgentError, agentFault } from "./error.ts";

const answered = (status: number, body = '{"error":"The game is busy."}') =>
  agentFault(new AgentError({ kind: "answered", status, body }));

test.each([400, 403, 404, 409, 412, 413, 416, 422, 503])(
  "%i passes with the agent's own sentence",
  (status) => {
    const fault = answered(status);
    expect(fault).toMatchObject({ status, code: "upstream.rejected", detail: "The game is busy." });
    expect(fault.retryable).toBe(status === 503);
    const upstream = { service: "agent", status, body: '{"error":"The game is busy."}' };
    expect(fault.details).toEqual({ upstream });
  },
);

test.each([200, 302, 401, 418, 500, 502])("%i is the agent's failure: 502", (status) => {
  expect(answered(status)).toMatchObject({ status: 502, code: "upstream.failed" });
});

test("silence is 504 and no connection is 502, both worth another try", () => {
  expect(agentFault(new AgentError({ kind: "silent" }))).toMatchObject({ status: 504, retryable: true });
  const refused = agentFault(new AgentError({ kind: "refused" }));
  expect(refused).toMatchObject({ status: 502, code: "upstream.refused", retryable: true });
  expect(refused.details).toEqual({ upstream: { service: "agent", status: null, body: null } });
});

test("what the agent said is kept verbatim up to 16 KiB, and its sentence up to 500 characters", () => {
  const body = JSON.stringify({ error: "x".repeat(20_000) });
  const error = new AgentError({ kind: "answered", status: 500, body });
  expect(error.body).toBe(body.slice(0, 16 * 1024));
  expect(error.sentence).toHaveLength(500);
});

test("an answer without a sentence of its own gets the title", () => {
  expect(answered(404, "<html>").detail).toBeUndefined();
  expect(answered(404, "[1]").problem("r").error).toBe("The server's agent refused the request");
});
