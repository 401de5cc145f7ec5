// The life of a launcher: look before anything is started, start, say where it is, wait for the end, stop in order.
import { systemClock } from "#shared/process/clock.ts";
import { takeHome } from "./home.ts";
import { defaultTiming, type Product, type Timing } from "./options.ts";
import { whenFree } from "./port.ts";
import { createProgress } from "./progress.ts";
import { loadSecrets, writeCredentials } from "./secrets.ts";
import { readSettings, type Settings } from "./settings.ts";
import { createStack, meshMembers } from "./stack.ts";

/** Runs the stack until it is told to stop; answers the exit code. What goes wrong is printed, in sentences. */
export async function launch(o: {
  root: string;
  env: Readonly<Record<string, string | undefined>>;
  product: Product;
  timing?: Partial<Timing>;
}): Promise<number> {
  const timing = { ...defaultTiming, ...o.timing };
  const told = whenToldToStop(timing.watch);
  try {
    const settings = readSettings(o.root, o.env);
    const lock = takeHome(settings.home);
    try {
      return await run(settings, o.product, timing, told);
    } finally {
      lock.release();
    }
  } catch (error) {
    print(`zpack  ${sentence(error)}`);
    return 1;
  }
}

async function run(
  settings: Settings,
  product: Product,
  timing: Timing,
  told: Promise<string>,
): Promise<number> {
  const began = performance.now();
  const progress = createProgress(print);
  await whenFree(settings.bind, settings.port, timing.portPatience, systemClock);
  const { secrets, created } = loadSecrets(settings.home, meshMembers(product.processes));
  const credentials = writeCredentials(settings.credentials, settings.publicUrl, secrets);
  const stack = createStack({ ...product, settings, secrets, progress, clock: systemClock, timing });
  const failed = stack.start().then(
    async () => {
      welcome(settings, credentials, created, performance.now() - began);
      return await new Promise<never>(() => {});
    },
    (error: unknown) => ({ error }),
  );
  const end = await Promise.race([failed, told]);
  progress.line(
    typeof end === "string" ? `Stopping (${end}) ...` : `The start failed: ${sentence(end.error)}`,
  );
  await stack.stop();
  progress.line("Stopped.");
  return typeof end === "string" ? 0 : 1;
}

const sentence = (error: unknown) => (error instanceof Error ? error.message : String(error));

function welcome(
  settings: Settings,
  credentials: { url: string; email: string; password: string },
  created: boolean,
  ms: number,
): void {
  const rows = [
    ["API", credentials.url],
    ["API page", `${credentials.url}/docs`],
    ["Operator", credentials.email],
    // Shown once; afterwards only the private file tells.
    ...(created ? [["Password", credentials.password]] : []),
    ["Credentials", settings.credentials],
    ["Logs", settings.logs],
  ];
  const list = rows.map(([name = "", value]) => `  ${name.padEnd(12)} ${value}\n`).join("");
  print(`\nzpack is ready after ${(ms / 1000).toFixed(1)} s. Ctrl-C stops it.\n\n${list}`);
}

/**
 * Resolves with the reason on the first signal, or when our parent is gone: npm forwards Ctrl-C in addition to the
 * terminal, so signals come twice, and a killed npm forwards nothing.
 */
function whenToldToStop(watchMs: number): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => resolve(signal));
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid !== parent) resolve("the parent process is gone");
  }, watchMs);
  watch.unref();
  // With the terminal gone there is nobody to write to; that must not keep us from stopping in order.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
  return promise;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
