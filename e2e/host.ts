import { readFileSync } from "node:fs";
import { join } from "node:path";

export type Container = {
  vmid: number;
  description: string;
  tags: string[];
  status: string;
  agentPort: number;
};

/** The directory that is a container's disk. */
export const diskOf = (home: string, vmid: string): string =>
  join(home, "local-host", "data", "containers", vmid);

/** The secret that a container's agent asks for, as only the host itself can read it. */
export function agentTokenOf(home: string, vmid: string): string {
  const record = readFileSync(join(home, "local-host", "containers", `${vmid}.json`), "utf8");
  return (JSON.parse(record) as { agentToken: string }).agentToken;
}

/** What really exists: the local host's own list. */
export async function containersOf(home: string): Promise<Container[]> {
  const { body } = await askHost(home, "GET", "/containers");
  return (body as { containers: Container[] }).containers;
}

/** Somebody acts at the host itself, with the secret of the installation. */
export async function askHost(
  home: string,
  method: string,
  path: string,
  body?: unknown,
): Promise<{ status: number; body: unknown }> {
  const secrets = JSON.parse(readFileSync(join(home, "secrets.json"), "utf8")) as { localHost: string };
  const port = readFileSync(join(home, "local-host", "port"), "utf8").trim();
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method,
    headers: { authorization: `Bearer ${secrets.localHost}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: await response.json() };
}
