import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

const secret = (bytes: number) =>
  crypto.getRandomValues(new Uint8Array(bytes)).toBase64({ alphabet: "base64url", omitPadding: true });
const made = (bytes: number) => z.string().default(() => secret(bytes));

const schema = z.object({
  apiAuth: made(32),
  apiAuthIde: made(32),
  /** No secret, but made once like one: it marks what belongs to this installation. */
  installation: z.string().default(() => crypto.randomUUID().slice(0, 13)),
  postgres: made(24),
  natsAdmin: made(24),
  localHost: made(32),
  operatorPassword: made(15),
  /** By service: of its database role, of its user on the bus. */
  database: z.record(z.string(), z.string()).default(() => ({})),
  nats: z.record(z.string(), z.string()).default(() => ({})),
});

export type Secrets = z.infer<typeof schema>;

export const operatorEmail = "operator@zpack.local";

/**
 * Reads `secrets.json` below `home`, adding what is missing (all of it at the first start, a new service's passwords
 * later). `created` says that it was the first start. Throws when the file is gone, but not the database made with it.
 */
export function loadSecrets(
  home: string,
  services: readonly string[],
): { secrets: Secrets; created: boolean } {
  const file = join(home, "secrets.json");
  const created = !existsSync(file);
  if (created && existsSync(join(home, "postgres"))) {
    throw new Error(
      `${file} is missing, but ${home} holds a database made with it: restore the file, or remove ${home}.`,
    );
  }
  const secrets = created ? schema.parse({}) : read(file);
  for (const service of services) {
    secrets.database[service] ??= secret(24);
    secrets.nats[service] ??= secret(24);
  }
  writePrivate(file, secrets);
  return { secrets, created };
}

/** Writes what the operator logs in with. */
export function writeCredentials(file: string, url: string, secrets: Secrets) {
  const credentials = { url, email: operatorEmail, password: secrets.operatorPassword };
  writePrivate(file, credentials);
  return credentials;
}

function read(file: string): Secrets {
  try {
    return schema.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch {
    // Neither the parser's nor the schema's message is shown: both may quote the content.
    throw new Error(`${file} is not what zpack wrote there: restore it from a copy.`);
  }
}

/** Mode 0600 from its first byte on, and whole or not at all. */
function writePrivate(file: string, content: object): void {
  const draft = `${file}.new`;
  writeFileSync(draft, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  renameSync(draft, file);
}
