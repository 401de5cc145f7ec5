import { readFileSync } from "node:fs";
import { join } from "node:path";

export type Container = {
  vmid: number;
  description: string;
  tags: string[];
  status: string;
  agentPort: number;
};

/** What really exists: the local host's own list, asked with the secret of the installation. */
export async function containersOf(home: string): Promise<Container[]> {
  const secrets = JSON.parse(readFileSync(join(home, "secrets.json"), "utf8")) as { localHost: string };
  const port = readFileSync(join(home, "local-host", "port"), "utf8").trim();
  const response = await fetch(`http://127.0.0.1:${port}/containers`, {
    headers: { authorization: `Bearer ${secrets.localHost}` },
  });
  return ((await response.json()) as { containers: Container[] }).containers;
}
