// The peer of the status route: what a careful engineer writes with Express, jsonwebtoken and pg on Node. It checks the
// token's signature, issuer and audience on every request, looks up the row, checks whose it is, and answers the
// same body. PEER_MODE says where the row comes from: `pg` asks Postgres for it, `memory` has it at hand.
import { createServer } from "node:http";
import express from "express";
import jwt from "jsonwebtoken";
import { Pool } from "pg";

const { PEER_MODE: mode, PEER_SECRET: secret, PEER_DATABASE_URL: connectionString } = process.env;
const pool = new Pool({ connectionString, max: 10 });
const columns = "vmid, customer_id, name, observation";
const all = await pool.query(`select ${columns} from server`);
const memory = new Map(all.rows.map((row) => [row.vmid, row]));

const find = {
  memory: async (vmid) => memory.get(vmid),
  pg: async (vmid) =>
    (
      await pool.query({
        name: "server",
        text: `select ${columns} from server where vmid = $1`,
        values: [vmid],
      })
    ).rows[0],
}[mode];

const app = express();
app.disable("x-powered-by");
app.disable("etag");
app.use((req, res, next) => {
  try {
    const token = (req.headers.authorization ?? "").replace(/^Bearer /, "");
    const options = { algorithms: ["HS256"], issuer: "zpack", audience: "zpack-api" };
    req.claims = jwt.verify(token, secret, options);
    next();
  } catch {
    res.status(401).json({ code: "auth.invalid_token" });
  }
});
app.get("/api/servers/:id/status", (req, res, next) => {
  void answer(req, res).catch(next);
});

async function answer(req, res) {
  const row = await find(Number(req.params.id));
  if (!row || row.customer_id !== req.claims.sub) res.status(404).json({ code: "servers.not_found" });
  else res.set("cache-control", "no-store").json({ ...row.observation, name: row.name });
}

const server = createServer(app);
server.listen(0, "127.0.0.1", () => process.stdout.write(`${server.address().port}\n`));
process.on("SIGTERM", () => {
  server.close();
  server.closeAllConnections();
  void pool.end();
});
