// bun infra/deploy/prepare.ts FOLDER: prepares the operator's Postgres and NATS for zpack and writes FOLDER/<name>.env
// for the systemd units and the compose file. Run again after every update; what exists is kept.
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createContext } from "#infra/dev/context.ts";
import { busPart, databasePart } from "#infra/dev/daemons.ts";
import { defaultTiming, type Product } from "#infra/dev/options.ts";
import { createProgress } from "#infra/dev/progress.ts";
import { product } from "#infra/dev/product.ts";
import { loadSecrets, writeCredentials } from "#infra/dev/secrets.ts";
import { readSettings } from "#infra/dev/settings.ts";
import { meshMembers } from "#infra/dev/stack.ts";
import { systemClock } from "#shared/process/clock.ts";
import { environmentFile } from "./units.ts";

/**
 * Makes roles, schemas, streams and consumers, and one settings file (mode 0600) per process. Rejects in a sentence when
 * DATABASE_URL, NATS_URL or LOCAL_HOST_PORT are missing, or when the bus does not know our users yet.
 */
export async function prepare(o: {
  root: string;
  env: Readonly<Record<string, string | undefined>>;
  folder: string;
  product: Product;
  print: (line: string) => void;
}): Promise<void> {
  const settings = readSettings(o.root, o.env);
  const hostPort = o.env["LOCAL_HOST_PORT"];
  if (!settings.databaseUrl || !settings.natsUrl || !hostPort)
    throw new Error("DATABASE_URL and NATS_URL (of an administrator) and LOCAL_HOST_PORT must be set.");
  mkdirSync(settings.home, { recursive: true, mode: 0o711 });
  mkdirSync(o.folder, { recursive: true, mode: 0o755 });
  const members = meshMembers(o.product.processes);
  const { secrets } = loadSecrets(settings.home, members);
  writeCredentials(settings.credentials, settings.publicUrl, secrets);
  const progress = createProgress(o.print);
  const stack = { ...o.product, settings, secrets, progress, clock: systemClock, timing: defaultTiming };
  const databaseUrl = await databasePart(stack, members).start();
  const natsUrl = await busPart(stack)
    .start()
    .catch((cause: unknown) => {
      const users = join(settings.home, "nats-users.conf");
      throw new Error(
        `The bus at NATS_URL refused us. Include ${users} in its configuration, reload it, run again.`,
        {
          cause,
        },
      );
    });
  const context = createContext(stack, {
    databaseUrl,
    natsUrl,
    localHostUrl: `http://127.0.0.1:${hostPort}`,
  });
  for (const spec of o.product.processes) {
    const file = join(o.folder, `${spec.name}.env`);
    writeFileSync(file, environmentFile(spec.env(context)), { mode: 0o600 });
    chmodSync(file, 0o600);
    o.print(`${file} written`);
  }
}

if (import.meta.main) {
  const folder = resolve(process.argv[2] ?? "/etc/zpack");
  const print = (line: string) => void process.stdout.write(`${line}\n`);
  await prepare({ root: join(import.meta.dir, "../.."), env: process.env, folder, product, print }).catch(
    (error: unknown) => {
      print(error instanceof Error ? error.message : String(error));
      process.exitCode = 1;
    },
  );
}
