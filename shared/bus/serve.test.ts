import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import type { Contract } from "#shared/contract/define.ts";
import { wrap } from "#shared/telemetry/log.ts";
import { type Mesh, meshForTest } from "#shared/testing/mesh.ts";
import { sample, sampleAuthority, sampleService } from "#shared/testing/sample.ts";
import { request } from "./client.ts";
import { type Bus, closeBus, connectBus } from "./connect.ts";
import { serve } from "./serve.ts";

// What becomes of calls whose answers cannot be sent.

const caller = {
  service: "caller",
  version: "1.0.0",
  calls: ["sample.echo"],
  consumes: [],
  routes: {},
  events: {},
} as const satisfies Contract;

let mesh: Mesh;
let bus: Bus;
const logged: string[] = [];
const log = wrap((level, _, message) => void logged.push(`${level}: ${message}`), {});
beforeAll(async () => {
  mesh = await meshForTest([sample, caller]);
});
beforeEach(async () => {
  logged.length = 0;
  const password = "sample-password";
  bus = await connectBus({ name: "sample", url: mesh.server.url, user: "sample", password, log });
});
afterAll(() => mesh[Symbol.asyncDispose]());

const serving = (service = sampleService({})) => serve(bus, service, { log, authority: sampleAuthority() });
const echo = async (input: object) =>
  request(await mesh.bus("caller"), sample.routes.echo, { id: "a", ...input }).catch(
    (error: unknown) => error,
  );

test("500, and a line in the log, where the answer is larger than a message may be", async () => {
  const served = await serving();
  expect(await echo({ word: "long", times: 1_000_000 })).toMatchObject({ code: "internal.error" });
  expect(logged).toEqual(["error: an answer cannot be sent"]);
  await served.stop();
  await closeBus(bus);
});

test("500, and a line in the log, where the refusal is larger than a message may be", async () => {
  const service = sampleService({});
  const word = "x".repeat(2_000_000);
  const echoes: typeof service.handlers.echo = async ({ fail }) => fail("rude", { details: { word } });
  const served = await serving({ ...service, handlers: { ...service.handlers, echo: echoes } });
  expect(await echo({ word: "hi" })).toMatchObject({ code: "internal.error" });
  expect(logged).toEqual(["error: an answer cannot be sent"]);
  await served.stop();
  await closeBus(bus);
});
