import { join } from "node:path";
import { rightsOf } from "#infra/nats/rights.ts";
import { problemsOf } from "#shared/contract/check.ts";
import { systemClock } from "#shared/process/clock.ts";
import { composeOf, unitOf } from "#infra/deploy/units.ts";
import { processes } from "#infra/processes.ts";
import { version } from "#shared/process/version.ts";
import { silentLogger } from "#shared/telemetry/log.ts";
import { gatewayApp } from "#gateway/app.ts";
import { gatewayEdges } from "#gateway/edges/index.ts";
import { parseCidrs } from "#gateway/pipeline/cidr.ts";
import { hostRules } from "#gateway/pipeline/host.ts";
import { originRules } from "#gateway/pipeline/origin.ts";
import { registry } from "#gateway/registry.ts";
import { routesTable } from "#gateway/routes-table.ts";

const root = join(import.meta.dir, "..");

/**
 * Writes everything that is derived from the contracts and committed, so that a reviewer sees it change:
 * `bun infra/generate.ts`, or with `--check` only compares and exits with 1 where a file is not what it should be.
 */
async function main(check: boolean): Promise<number> {
  const problems = problemsOf(registry);
  for (const problem of problems) process.stdout.write(`${problem}\n`);
  if (problems.length > 0) return 1;
  let wrong = 0;
  for (const [path, text] of Object.entries(await generated())) {
    const file = Bun.file(join(root, path));
    const same = (await file.exists()) && (await file.text()) === text;
    if (same) continue;
    wrong++;
    if (!check) await Bun.write(file, text);
    process.stdout.write(
      `${path} ${check ? "is not what the contracts give; run: bun infra/generate.ts" : "written"}\n`,
    );
  }
  return check && wrong > 0 ? 1 : 0;
}

const none = parseCidrs([]);
const publicUrl = "http://localhost";

/** Path below the root and content of every generated file. */
export async function generated(): Promise<Record<string, string>> {
  // The page and the table need the edges' descriptions only: nothing is called.
  const edges = gatewayEdges({ bus: undefined as never, services: [], version, clock: systemClock });
  const app = gatewayApp({
    registry,
    edges,
    pipeline: [],
    hosts: hostRules({ allowed: [], publicUrl }),
    addresses: { trustedProxies: none, internal: none, operator: none },
    origins: originRules({ listed: new Set(), publicUrl }),
    publicUrl,
    preflightSeconds: 0,
    version,
    log: silentLogger,
  });
  const ask = new Request("http://localhost/docs/json", { headers: { host: "localhost" } });
  const answer = await app.handle(ask);
  if (!answer.ok) throw new Error(`the API document was not made: ${await answer.text()}`);
  const document: unknown = await answer.json();
  return {
    "gateway/golden/routes.txt": routesTable(registry, edges),
    "gateway/golden/openapi.json": json(document),
    "infra/nats/rights.gen.json": json(rightsOf(registry)),
    "infra/deploy/compose.gen.yaml": formatted("compose.yaml", composeOf(processes)),
    ...Object.fromEntries(
      processes.map((spec) => [`infra/deploy/zpack-${spec.name}.gen.service`, unitOf(spec, processes)]),
    ),
  };
}

const json = (value: unknown) => formatted("generated.json", value);

/** As the formatter writes it, so that generated files pass the format check like all others. */
function formatted(name: string, value: unknown): string {
  const text = name.endsWith(".yaml") ? Bun.YAML.stringify(value, null, 2) : JSON.stringify(value);
  const run = Bun.spawnSync([process.execPath, "fmt", `--stdin-filepath=${name}`], {
    cwd: root,
    stdin: Buffer.from(text),
  });
  if (run.exitCode !== 0) throw new Error(`the formatter failed: ${run.stderr.toString()}`);
  return run.stdout.toString();
}

if (import.meta.main) process.exit(await main(process.argv.includes("--check")));
