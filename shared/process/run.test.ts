import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { client } from "#shared/bus/client.ts";
import type { Contract } from "#shared/contract/define.ts";
import { eventually } from "#shared/testing/call.ts";
import { type Mesh, meshForTest } from "#shared/testing/mesh.ts";
import { postgresForTest } from "#shared/testing/postgres.ts";
import { sample } from "#shared/testing/sample.ts";

const caller = {
  service: "caller",
  version: "1.0.0",
  calls: ["sample.echo"],
  consumes: [],
  routes: {},
  events: {},
} as const satisfies Contract;

let mesh: Mesh;
let database: Awaited<ReturnType<typeof postgresForTest>>;
beforeAll(async () => {
  mesh = await meshForTest([sample, caller]);
  database = await postgresForTest({ schema: "sample" });
});
afterAll(async () => {
  await database[Symbol.asyncDispose]();
  await mesh[Symbol.asyncDispose]();
});

type Line = { level: number; msg: string };

function start(fixture: string, env: Record<string, string> = {}) {
  const child = Bun.spawn(
    [process.execPath, "--no-env-file", new URL("./run.fixture.ts", import.meta.url).pathname],
    {
      env: {
        NATS_URL: mesh.server.url,
        NATS_USER: "sample",
        NATS_PASSWORD: "sample-password",
        DATABASE_URL: database.url,
        FIXTURE: fixture,
        ...env,
      },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    },
  );
  let text = "";
  const waiting: { message: string; resolve: () => void }[] = [];
  const reading = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of child.stdout) {
      text += decoder.decode(chunk, { stream: true });
      for (const each of waiting) if (text.includes(each.message)) each.resolve();
    }
  })();
  const says = (message: string) =>
    new Promise<void>((resolve) => (text.includes(message) ? resolve() : waiting.push({ message, resolve })));
  const end = async () => {
    const code = await child.exited;
    await reading;
    const lines = text
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Line);
    return { code, lines, errors: await new Response(child.stderr).text() };
  };
  return { child, says, end };
}

describe("a service process", () => {
  test("migrates, serves, and on SIGTERM stops its parts in the opposite order of their start", async () => {
    const service = start("serve");
    await service.says('"ready"');
    const said = await client(await mesh.bus("caller"), sample).echo({ id: "a", word: "hi" });
    expect(said).toEqual({ said: "a:hi" });
    service.child.kill("SIGTERM");
    service.child.kill("SIGINT");
    const { code, lines } = await service.end();
    expect(code).toBe(0);
    expect(lines.map(({ msg }) => msg)).toEqual([
      "ready",
      "stopping",
      "the last one first",
      "the first worker stops last",
      "stopped",
    ]);
  });

  test("begins nothing that its callers gave up while it stood still", async () => {
    const service = start("tell");
    await service.says('"ready"');
    const { echo } = client(await mesh.bus("caller"), sample);
    service.child.kill("SIGSTOP");
    const ask = (word: string, ms: number) => echo({ id: "a", word }, { deadline: Date.now() + ms });
    const timeout = { code: "service.timeout" };
    const late = [ask("late", 300), ask("later", 1_500)].map((call) => call.catch((error: unknown) => error));
    for (const call of late) expect(await call).toMatchObject(timeout);
    service.child.kill("SIGCONT");
    expect(await eventually(() => ask("now", 10_000))).toEqual({ said: "a:now" });
    service.child.kill("SIGTERM");
    const asked = (await service.end()).lines.filter(({ msg }) => msg.startsWith("asked"));
    expect(new Set(asked.map(({ msg }) => msg))).toEqual(new Set(["asked for now"]));
  });

  test("ends at once on a rejection that nobody handled, and says so", async () => {
    const { code, lines } = await start("reject").end();
    expect(code).toBe(1);
    expect(lines.at(-1)).toMatchObject({ level: 60, err: { type: "Error", message: "nobody caught me" } });
  });

  test("logs a warning of the runtime as an error", async () => {
    const service = start("warn");
    await service.says("the runtime warns of a defect");
    service.child.kill("SIGTERM");
    expect((await service.end()).lines).toContainEqual(
      expect.objectContaining({ level: 50, msg: "the runtime warns of a defect" }),
    );
  });

  test("does not start with a setting missing, and names it", async () => {
    const { code, errors } = await start("serve", { NATS_PASSWORD: "", FIXTURE: "other" }).end();
    expect(code).not.toBe(0);
    expect(errors).toContain("NATS_PASSWORD");
  });

  test("does not start without its parts, and says why", async () => {
    const { code, errors, lines } = await start("throw").end();
    expect(code).not.toBe(0);
    expect(errors + JSON.stringify(lines)).toContain("could not start");
  });

  test("reacts to what its contract consumes, and to nothing else", async () => {
    const { code, errors, lines } = await start("unreacted").end();
    expect(code).not.toBe(0);
    expect(errors + JSON.stringify(lines)).toContain("must react to what its contract consumes");
  });
});
