import type { customer } from "#e2e/client.ts";
import { type Operation, settled, smallDev, smallGame } from "#e2e/fixtures.ts";
import type { RunningStack } from "#e2e/stack.ts";
import { type Ask, ask, type Seen, wrongRefusal } from "./answers.ts";

// A light load of customers who make servers, use them and delete them, and repeat whatever was refused. Every answer is
// judged; what was accepted is kept, to be looked at when it is over.

export type Customer = Awaited<ReturnType<typeof customer>>;
export type Accepted = {
  owner: Customer;
  kind: "create" | "delete" | "power";
  operationId: string;
  serverId?: string;
};

/** What a customer makes, and how it is used, in this order, before it is deleted. */
export type Order = { body: Record<string, unknown>; uses: readonly string[] };
export const games: Order = {
  body: smallGame,
  uses: ["game/stop", "game/start", "game/restart", "host/restart", "host/stop"],
};
export const workspaces: Order = {
  body: smallDev,
  uses: ["host/restart", "host/stop", "host/start", "host/stop"],
};

/** As the contracts say; a second more for the way there and back on a machine that starts processes meanwhile. */
const timeoutMs = (path: string) =>
  /\/(game|host)\/|DELETE/.test(path) ? 12_000 : path === "/api/servers" ? 5_000 : 3_000;
const graceMs = 1_500;
/** A call that is refused for longer than this is not served any more. */
const patienceMs = 45_000;

export class Load {
  readonly accepted: Accepted[] = [];
  /** What no caller should have seen, in sentences. */
  readonly wrong: string[] = [];
  /** What somebody waits for now. */
  readonly pending = new Map<string, string>();
  readonly counts = { served: 0, refused: 0, lost: 0, busy: 0, gone: 0 };
  /** Numbers of servers whose deletion was asked for. */
  private readonly deleted = new Set<string>();
  private readonly stack: RunningStack;
  private readonly gatewayWasAway: (from: number, to: number) => boolean;
  private readonly lives: Promise<void>[] = [];
  private ending = false;

  constructor(stack: RunningStack, gatewayWasAway: (from: number, to: number) => boolean) {
    this.stack = stack;
    this.gatewayWasAway = gatewayWasAway;
  }

  begin(owner: Customer, order: Order): void {
    this.lives.push(
      this.live(owner, order).catch((error: unknown) => void this.wrong.push(String(error))),
      this.watch(owner),
    );
  }

  /** Lets everybody finish what was begun. */
  async end(): Promise<void> {
    this.ending = true;
    await Promise.all(this.lives);
  }

  /** One server after the other, each used and deleted, but the last one, which stays. */
  private async live(owner: Customer, { body, uses }: Order): Promise<void> {
    for (let turn = 0; !this.ending; turn++) {
      const creation = { method: "POST", path: "/api/servers", body: { ...body, name: `s${turn}` } };
      const made = await this.order(owner, "create", creation);
      const id = made?.result?.["serverId"];
      if (typeof id !== "string") continue;
      for (const use of uses) {
        if (this.ending) return;
        await this.order(owner, "power", { method: "POST", path: `/api/servers/${id}/${use}` }, id);
      }
      if (this.ending) return;
      this.deleted.add(id);
      await this.order(owner, "delete", { method: "DELETE", path: `/api/servers/${id}` }, id);
    }
  }

  /** Looks at the list and at each status, all the time. */
  private async watch(owner: Customer): Promise<void> {
    while (!this.ending) {
      const { body } = await this.once(owner, { method: "GET", path: "/api/servers" });
      const rows = Array.isArray(body["servers"]) ? (body["servers"] as { id: string }[]) : [];
      for (const { id } of rows) await this.once(owner, { method: "GET", path: `/api/servers/${id}/status` });
      await pause(100);
    }
  }

  /** Sends an order with a key of its own until it is accepted, then follows it to its end. */
  private async order(
    owner: Customer,
    kind: Accepted["kind"],
    request: Ask,
    serverId?: string,
  ): Promise<Operation | undefined> {
    const headers = { "idempotency-key": crypto.randomUUID() };
    const seen = await this.until(owner, { ...request, headers });
    if (seen?.status !== 202) return undefined;
    const { id: operationId } = seen.body["operation"] as Operation;
    this.accepted.push({ owner, kind, operationId, ...(serverId === undefined ? {} : { serverId }) });
    const deadline = performance.now() + 2 * patienceMs;
    while (performance.now() < deadline) {
      const found = await this.until(owner, { method: "GET", path: `/api/operations/${operationId}` });
      const operation = found?.body as Operation | undefined;
      if (operation && settled(operation)) {
        this.pending.delete(`GET /api/operations/${operationId}`);
        return operation;
      }
      await pause(100);
    }
    this.wrong.push(`${kind} ${operationId} was not settled while the load went on`);
    return undefined;
  }

  /** Repeats a call until it is served. */
  private async until(owner: Customer, request: Ask): Promise<Seen | undefined> {
    const deadline = performance.now() + patienceMs;
    const what = `${request.method} ${request.path}`;
    for (;;) {
      const seen = await this.once(owner, request);
      this.pending.set(what, `${seen.status} ${JSON.stringify(seen.body)}`);
      if (seen.status >= 200 && seen.status < 300) return seen;
      // Done by an attempt whose answer was lost.
      if (seen.status === 404 && request.method === "DELETE") return seen;
      if (performance.now() > deadline) {
        this.wrong.push(
          `${request.method} ${request.path} was refused to the end: ${JSON.stringify(seen.body)} ${seen.lost ?? ""}`,
        );
        return undefined;
      }
      await pause(250);
    }
  }

  private async once(owner: Customer, request: Ask): Promise<Seen> {
    const began = performance.now();
    const seen = await ask(this.stack.url, owner.token, request);
    const what = `${request.method} ${request.path} after ${seen.ms.toFixed(0)} ms`;
    if (seen.status >= 200 && seen.status < 300) this.counts.served++;
    else if (seen.body["code"] === "servers.busy") this.counts.busy++;
    else if (seen.status === 404 && this.deleted.has(request.path.split("/")[3] ?? "")) this.counts.gone++;
    else if (seen.lost !== undefined && this.gatewayWasAway(began, performance.now())) this.counts.lost++;
    else {
      const wrong = wrongRefusal(seen);
      if (wrong === undefined) this.counts.refused++;
      else this.wrong.push(`${what}: ${wrong}`);
    }
    if (seen.ms > timeoutMs(`${request.path} ${request.method}`) + graceMs)
      this.wrong.push(`${what}: too late`);
    return seen;
  }
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
