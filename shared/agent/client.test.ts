import { afterAll, beforeAll, expect, test } from "bun:test";
import { agentClient } from "./client.ts";
import { AgentError } from "./error.ts";

const token = "a-token-only-for-tests";
const seen: { path: string; method: string; authorization: string | null; body: string }[] = [];
let answer: () => Response | Promise<Response> = () => Response.json({});
let server: Bun.Server<undefined>;

beforeAll(() => {
  server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const { method, headers, url } = request;
      const authorization = headers.get("authorization");
      seen.push({ path: new URL(url).pathname, method, authorization, body: await request.text() });
      return answer();
    },
  });
});
afterAll(() => server.stop(true));

const client = (timeoutMs = 2000) =>
  agentClient({ address: `http://127.0.0.1:${server.port}`, token, timeoutMs });

async function errorOf(call: Promise<unknown>): Promise<AgentError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof AgentError)) throw new Error(`expected an AgentError, got ${String(error)}`);
  return error;
}

test("sends the token and the body, and reads the answer by its schema", async () => {
  answer = () => Response.json({ ok: true, state: "installing", unknown_member: 1 }, { status: 202 });
  seen.length = 0;
  const accepted = await client().config({
    vmid: 6001,
    container_type: "dev",
    runtime: "node",
    memory_mb: 512,
  });
  expect(accepted).toEqual({ ok: true, state: "installing" });
  expect(seen).toEqual([
    {
      path: "/config",
      method: "POST",
      authorization: `Bearer ${token}`,
      body: expect.stringContaining("6001"),
    },
  ]);
});

test("a status that leaves members out is read with their defaults", async () => {
  answer = () => Response.json({ state: "running" });
  expect(await client().status()).toMatchObject({
    state: "running",
    operation: null,
    crash: null,
    installed: true,
  });
});

test("an answer of 400 and above is an error with the agent's sentence, status and body", async () => {
  answer = () =>
    Response.json({ error: "Another operation is in progress.", code: "operation.busy" }, { status: 409 });
  const error = await errorOf(client().start());
  expect(error).toMatchObject({
    kind: "answered",
    status: 409,
    sentence: "Another operation is in progress.",
  });
  expect(error.body).toContain("operation.busy");
});

test("an answer that is no JSON, or not what was asked for, is an error and not a value", async () => {
  answer = () => new Response("<html>");
  expect(await errorOf(client().status())).toMatchObject({ kind: "answered", status: 200 });
  answer = () => Response.json({ state: "dancing" });
  expect(await errorOf(client().status())).toMatchObject({ kind: "answered", status: 200 });
});

test("a redirect is not followed, since the token would go with it", async () => {
  answer = () => new Response(null, { status: 302, headers: { location: "/elsewhere" } });
  seen.length = 0;
  expect(await errorOf(client().ready())).toMatchObject({ kind: "answered", status: 302 });
  expect(seen.map(({ path }) => path)).toEqual(["/ready"]);
});

test("an endless answer is cut off at its bound", async () => {
  answer = () =>
    new Response(
      new ReadableStream<Uint8Array>({
        pull: (controller) => controller.enqueue(new Uint8Array(16_384).fill(65)),
      }),
    );
  const error = await errorOf(client().status());
  expect(error.kind).toBe("answered");
  expect(error.body).toHaveLength(16 * 1024);
});

test("no answer in time is silence; so is an answer that never ends", async () => {
  const never = Promise.withResolvers<Response>();
  answer = () => never.promise;
  expect(await errorOf(client(30).ready())).toMatchObject({ kind: "silent", status: undefined });
  never.resolve(new Response());
  answer = () =>
    new Response(new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(1)) }));
  expect((await errorOf(client(60).ready())).kind).toBe("silent");
});

test("no connection is a refusal, and the token is in no part of the error", async () => {
  const error = await errorOf(agentClient({ address: "http://127.0.0.1:1", token }).ready());
  expect(error.kind).toBe("refused");
  expect(Bun.inspect(error)).not.toContain(token);
});
