import { createHmac } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startPostgres, stopPostgres, superuser } from "#infra/postgres/embedded.ts";
import { connectDb } from "#shared/db/connect.ts";
import { withTx } from "#shared/db/tx.ts";
import { linesOf } from "#shared/testing/child.ts";

export type Peer = { url: string; pid: number; stop(): Promise<void> };
export type Peers = AsyncDisposable & {
  token: string;
  /** An Express process on Node that answers for the server 5000, with its row from Postgres or from memory. */
  start(mode: "pg" | "memory"): Promise<Peer>;
};

const entry = join(import.meta.dirname, "peers/express.mjs");

/** A Postgres with one server's row in it, whose `observation` is the body that the peers answer. */
export async function peersWith(observation: Record<string, unknown>): Promise<Peers> {
  const dir = mkdtempSync(join(tmpdir(), "zpack-bench-"));
  const data = join(dir, "data");
  const password = crypto.randomUUID();
  const { port } = await startPostgres({ dir: data, password });
  const databaseUrl = `postgres://${superuser}:${password}@127.0.0.1:${port}/postgres`;
  const customerId = "acc_bench";
  await fill(databaseUrl, customerId, observation);
  const secret = crypto.randomUUID();
  const started: Peer[] = [];
  return {
    token: signed(secret, customerId),
    async start(mode) {
      const env = { ...process.env, NODE_ENV: "production" };
      const child = Bun.spawn(["node", entry], {
        env: { ...env, PEER_MODE: mode, PEER_SECRET: secret, PEER_DATABASE_URL: databaseUrl },
        stdout: "pipe",
        stderr: "inherit",
      });
      const peer = { url: `http://127.0.0.1:${await firstLine(child.stdout)}`, pid: child.pid, stop };
      async function stop() {
        child.kill();
        await child.exited;
      }
      started.push(peer);
      return peer;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(started.map((peer) => peer.stop()));
      await stopPostgres(data);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function fill(url: string, customerId: string, observation: Record<string, unknown>): Promise<void> {
  const db = connectDb({ url, schema: "public", name: "bench", max: 1 });
  await withTx(db, async (tx) => {
    await tx`
      create table server
        (vmid int primary key, customer_id text not null, name text not null, observation jsonb not null)`;
    // Neighbours, so that the look-up is one in an index and not in a table of one page.
    await tx`
      insert into server
      select 5000 + n, case n when 0 then ${customerId} else 'acc_' || n end, 'server ' || n, ${JSON.stringify(observation)}::text::jsonb
      from generate_series(0, 999) n`;
  });
  await db.close();
}

function signed(secret: string, sub: string): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const exp = Math.floor(Date.now() / 1000) + 3600;
  const claims = { iss: "zpack", aud: "zpack-api", sub, sid: "ses_bench", role: "customer", ver: 1, exp };
  const head = `${encode({ alg: "HS256", typ: "at+jwt" })}.${encode(claims)}`;
  return `${head}.${createHmac("sha256", secret).update(head).digest("base64url")}`;
}

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  const { value } = await linesOf(stream).next();
  if (value === undefined) throw new Error("the peer ended before it listened");
  return value;
}
