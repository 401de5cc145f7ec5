import { expect, test as base } from "@playwright/test";
import { type Api, customer, operator } from "./client.ts";
import { until } from "./stack.ts";

export type Server = { id: string; instanceId: string; address: string };
export type Operation = {
  id: string;
  type: string;
  status: string;
  phase: string;
  message: string;
  result: Record<string, unknown> | null;
  error: { code: string; message: string } | null;
  steps?: { name: string; status: string }[];
  serverId?: string;
  statusUrl: string;
};

type Fixtures = {
  url: string;
  /** A fresh customer on the free plan. */
  ada: Api & { accountId: string; email: string };
  /** Another one. */
  bob: Api & { accountId: string; email: string };
  operator: Api;
};

export const test = base.extend<Fixtures>({
  // eslint-disable-next-line no-empty-pattern
  url: async ({}, use) => use(process.env["E2E_URL"] ?? ""),
  ada: async ({ url }, use) => use(await customer(url)),
  bob: async ({ url }, use) => use(await customer(url)),
  operator: async ({ url }, use) =>
    use(
      await operator(
        url,
        JSON.parse(process.env["E2E_OPERATOR"] ?? "{}") as { email: string; password: string },
      ),
    ),
});
export { expect };

export const smallGame = {
  ctype: "game",
  game: "minecraft",
  variant: "flying-squid",
  version: "1.16.5",
  memoryMiB: 512,
};
export const smallDev = { ctype: "dev", memoryMiB: 512 };
export const settled = (operation: Operation) =>
  ["succeeded", "failed", "cancelled"].includes(operation.status);

/** Follows an operation until it is settled. */
export async function finish(api: Api, operationId: string, timeoutMs = 60_000): Promise<Operation> {
  let operation: Operation | undefined;
  await until(
    async () => {
      const { status, body } = await api.get<Operation>(`/api/operations/${operationId}`);
      if (status === 200) operation = body;
      return operation !== undefined && settled(operation);
    },
    timeoutMs,
    `operation ${operationId} to be settled`,
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}; last seen: ${JSON.stringify(operation)}`);
  });
  return operation as Operation;
}

/** A game server that is up, made through the API. */
export const gameServer = (api: Api, body: Record<string, unknown> = {}): Promise<Server> =>
  serverOf(api, { ...smallGame, ...body });

/** A dev server that is up, made through the API. */
export const devServer = (api: Api, body: Record<string, unknown> = {}): Promise<Server> =>
  serverOf(api, { ...smallDev, ...body });

async function serverOf(api: Api, body: Record<string, unknown>): Promise<Server> {
  const created = await api.send<{ operationId: string }>("POST", "/api/servers", body);
  expect(created.status, JSON.stringify(created.body)).toBe(202);
  const operation = await finish(api, created.body.operationId);
  expect(operation.status, JSON.stringify(operation)).toBe("succeeded");
  const id = String(operation.result?.["serverId"]);
  const row = await api.get<{ instanceId: string; address: string }>(`/api/servers/${id}`);
  return { id, instanceId: row.body.instanceId, address: row.body.address };
}

/** Waits until the status of a server satisfies `check`. */
export async function statusUntil(
  api: Api,
  id: string,
  check: (status: Record<string, unknown>) => boolean,
  timeoutMs = 20_000,
): Promise<Record<string, unknown>> {
  let last: Record<string, unknown> = {};
  await until(
    async () => {
      last = (await api.get(`/api/servers/${id}/status`)).body;
      return check(last);
    },
    timeoutMs,
    `the status of server ${id}`,
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}; last seen: ${JSON.stringify(last)}`);
  });
  return last;
}
