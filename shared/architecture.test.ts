import { expect, test } from "bun:test";
import { dirname, join, relative } from "node:path";
import { Glob, Transpiler } from "bun";
import { registry } from "#gateway/registry.ts";
import { errorCode } from "./contract/define.ts";

// Who may import what. Type-only imports are free where the transpiler drops them, but not across services.

const root = join(import.meta.dir, "..");
const isTest = (file: string) => /\.(test|test-d|spec)\.ts$/.test(file) || /(^|\/)testing\//.test(file);

/** Third-party packages and the one place that each may be imported from. */
const owners: Record<string, RegExp> = {
  nats: /^shared\/bus\//,
  postgres: /^(shared\/db|e2e\/chaos)\//,
  pino: /^shared\/telemetry\//,
  elysia: /^gateway\//,
  "@elysiajs/swagger": /^gateway\/api-page\.ts$/,
  "@elysiajs/jwt": /^gateway\/auth\/tokens\.ts$/,
  "minecraft-protocol": /^(e2e|infra\/agent)\//,
  "@playwright/test": /^e2e\//,
  "pg-boss": /^e2e\/bench\//,
};

type Import = { file: string; path: string };
const transpiler = new Transpiler({ loader: "ts" });
const typeImport = /^\s*(?:import|export)\s+type\s[^;]*?from\s+"([^"]+)"/gm;

async function importsOf(): Promise<Import[]> {
  const found: Import[] = [];
  for await (const file of new Glob("{shared,services,gateway,infra,e2e}/**/*.ts").scan(root)) {
    const text = await Bun.file(join(root, file)).text();
    const types = [...text.matchAll(typeImport)].map((match) => match[1] as string);
    const paths = new Set([...transpiler.scanImports(text).map(({ path }) => path), ...types]);
    for (const path of paths) found.push({ file, path: resolve(file, path) });
  }
  return found;
}

/** Imports of our own files as paths below the root, whatever way they are written; packages as they are. */
function resolve(file: string, path: string): string {
  if (path.startsWith("#")) return path.slice(1);
  if (path.startsWith(".")) return relative(root, join(root, dirname(file), path));
  return path;
}

const imports = await importsOf();
const code = imports.filter(({ file }) => !isTest(file));

test("a package is imported by its owner only", () => {
  const strangers = imports.filter(({ file, path }) => {
    const name = Object.keys(owners).find((owner) => path === owner || path.startsWith(`${owner}/`));
    return name !== undefined && !owners[name]?.test(file) && !isTest(file);
  });
  expect(strangers).toEqual([]);
});

test("every package in use has an owner, or belongs to everybody", () => {
  const everybodys = new Set(["zod", "bun"]);
  const owned = (path: string) =>
    Object.keys(owners).some((name) => path === name || path.startsWith(`${name}/`));
  const unknown = code.filter(({ path }) => {
    const ours = /^(shared|services|gateway|infra|e2e)\//.test(path) || path === "package.json";
    return (
      !ours && !/^(node|bun):/.test(path) && !everybodys.has(path) && !owned(path) && path !== "flying-squid"
    );
  });
  expect(unknown).toEqual([]);
});

test("a service shows others its contract and nothing else", () => {
  const reaches = imports.filter(({ file, path }) => {
    const [, service, inside] = /^services\/([^/]+)\/(.+)$/.exec(path) ?? [];
    if (!service || file.startsWith(`services/${service}/`) || inside === "contract.ts") return false;
    return !file.startsWith("infra/processes");
  });
  expect(reaches).toEqual([]);
});

test("shared knows no service, no gateway and no infrastructure", () => {
  const offenders = code.filter(
    ({ file, path }) => file.startsWith("shared/") && /^(services|gateway|infra|e2e)\//.test(path),
  );
  expect(offenders).toEqual([]);
});

test("services reach the outside through their adapters, and know nothing of the gateway but its contract", () => {
  const offenders = code.filter(({ file, path }) => {
    if (!file.startsWith("services/")) return false;
    if (path.startsWith("gateway/")) return path !== "gateway/auth/contract.ts";
    if (path.startsWith("infra/"))
      return !/^services\/[^/]+\/adapters\//.test(file) || !path.endsWith("/contract.ts");
    return path.startsWith("e2e/");
  });
  expect(offenders).toEqual([]);
});

test("the contract and fault folders are pure: no I/O, no other part of shared at run time", () => {
  const allowed = /^(zod|shared\/(contract|fault|telemetry|ids)\/.+)$/;
  const offenders = code.filter(
    ({ file, path }) => /^shared\/(contract|fault)\//.test(file) && !allowed.test(path),
  );
  expect(offenders).toEqual([]);
});

const folders = registry.map((contract) => ({
  contract,
  folder: contract.service === "gateway" ? "gateway/auth" : `services/${contract.service}`,
}));
const read = (path: string) => Bun.file(join(root, path)).text();
const exists = (path: string) => Bun.file(join(root, path)).exists();
const under = (folder: string, pattern: string) =>
  Array.fromAsync(new Glob(pattern).scan(join(root, folder))).then((files) =>
    files.map((f) => `${folder}/${f}`),
  );

test("every folder of services is in the registry", async () => {
  const found = await under("services", "*/contract.ts");
  expect(found.toSorted()).toEqual(
    folders
      .flatMap(({ folder }) => (folder.startsWith("services/") ? [`${folder}/contract.ts`] : []))
      .toSorted(),
  );
});

test("statements stand in the store, and nowhere else", async () => {
  for (const { folder } of folders)
    for (const file of await under(folder, "**/*.ts")) {
      if (isTest(file) || /^store(\.ts|\/)/.test(file.slice(folder.length + 1))) continue;
      const sql = /\b(tx|sql)(<[^`]*>)?`/.test(await read(file));
      expect({ file, sql }).toEqual({ file, sql: false });
    }
});

test("every service has the one shape", async () => {
  for (const { folder } of folders) {
    const inRoot = folder === "gateway/auth" ? "gateway" : folder;
    for (const file of [
      `${inRoot}/README.md`,
      `${folder}/service.ts`,
      `${inRoot}/config.ts`,
      `${inRoot}/main.ts`,
    ])
      expect({ file, exists: await exists(file) }).toEqual({ file, exists: true });
    const lines = (await read(`${inRoot}/main.ts`)).trimEnd().split("\n").length;
    expect({ folder, short: lines <= 40, lines }).toEqual({ folder, short: true, lines });
  }
});

test("whatever a service has besides the one shape is named and explained in its README", async () => {
  const shape =
    /^(README\.md|(contract|service|store|reconcile|config|main)\.ts|(verbs|reactions|workflows|adapters|migrations|testing|store)\/.*)$/;
  for (const { folder } of folders) {
    // The gateway's README stands above its accounts, and speaks of its own parts.
    if (folder === "gateway/auth") continue;
    const readme = await read(`${folder}/README.md`);
    for (const path of await under(folder, "**/*")) {
      const inside = path.slice(folder.length + 1);
      if (shape.test(inside) || isTest(path)) continue;
      const named = inside.includes("/") ? `${inside.split("/")[0]}/` : inside;
      expect({ path, explained: readme.includes(`\`${named}\``) }).toEqual({ path, explained: true });
    }
  }
});

test("each route has a verb of its name, with a test beside it", async () => {
  const missing: string[] = [];
  for (const { contract, folder } of folders)
    for (const route of Object.keys(contract.routes)) {
      const name = route.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
      for (const suffix of [".ts", ".test.ts"])
        if (!(await exists(`${folder}/verbs/${name}${suffix}`)))
          missing.push(`${folder}/verbs/${name}${suffix}`);
    }
  expect(missing).toEqual([]);
});

test("every error of a contract appears in a test of its service", async () => {
  const missing: string[] = [];
  for (const { contract, folder } of folders) {
    const tests = (await Promise.all((await under(folder, "**/*.test.ts")).map(read))).join("\n");
    for (const route of Object.values(contract.routes))
      for (const key of Object.keys(route.errors))
        if (!tests.includes(errorCode(contract.service, key)))
          missing.push(`${folder}: ${errorCode(contract.service, key)}`);
  }
  expect([...new Set(missing)]).toEqual([]);
});
