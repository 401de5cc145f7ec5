// What a curious workload tries on its agent: `bun intruder.ts <pid> <port> <record>`. Prints JSON.
import { dlopen } from "bun:ffi";
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from "node:fs";

const [agent = "", port = "", record = ""] = process.argv.slice(2);
const { symbols } = dlopen("libc.so.6", {
  ptrace: { args: ["i64", "i32", "u64", "u64"], returns: "i64" },
  setresuid: { args: ["u32", "u32", "u32"], returns: "i32" },
});
const seize = 0x4206;

function attempt(act: () => unknown): "open" | "closed" {
  try {
    return act() === false ? "closed" : "open";
  } catch {
    return "closed";
  }
}
const opened = (path: string) => () => closeSync(openSync(path, "r"));

/** Everything that processes of this machine give away to us. */
const heard = readdirSync("/proc")
  .filter((name) => /^\d+$/.test(name))
  .flatMap((name) => ["environ", "cmdline"].map((file) => `/proc/${name}/${file}`))
  .map((path) => {
    try {
      return readFileSync(path, "utf8");
    } catch {
      return "";
    }
  })
  .join("\n");

const status = async (authorization?: string) => {
  const headers = authorization === undefined ? {} : { authorization };
  return (await fetch(`http://127.0.0.1:${port}/status`, { headers })).status;
};

/** What we were given beside a terminal: a listening socket of the agent would let us answer in its place. */
const inherited = readdirSync("/proc/self/fd")
  .map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return "";
    }
  })
  .filter((target) => target.startsWith("socket:"));

/** A share of the agent's port would bring us every other request to it, with the token. */
const share = () => {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: Number(port),
    reusePort: true,
    fetch: () => new Response(),
  });
  return server.stop(true);
};

const found = {
  inherited,
  share: attempt(share),
  environ: attempt(opened(`/proc/${agent}/environ`)),
  memory: attempt(opened(`/proc/${agent}/mem`)),
  maps: attempt(opened(`/proc/${agent}/maps`)),
  descriptors: attempt(() => readdirSync(`/proc/${agent}/fd`)),
  trace: attempt(() => Number(symbols.ptrace(seize, Number(agent), 0, 0)) === 0),
  record: attempt(() => readFileSync(record)),
  becomeAgent: attempt(() => symbols.setresuid(process.getuid?.() ?? 0, 0xffffffff, 1_020_000_000) === 0),
  signal: attempt(() => process.kill(Number(agent), 0)),
  answers: [await status(), await status("Bearer "), await status("Bearer undefined")],
  heard,
};
process.stdout.write(JSON.stringify(found));
