import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { inflateSync } from "node:zlib";
import { createClient } from "minecraft-protocol";

/** Joins the game as a player, waits until the server has let them in, and gives back the way out. */
export async function joinGame(o: {
  port: number;
  version: string;
  username: string;
}): Promise<() => Promise<void>> {
  const client = createClient({ host: "127.0.0.1", auth: "offline", hideErrors: true, ...o });
  const joined = Promise.withResolvers<void>();
  const left = Promise.withResolvers<void>();
  let ended = false;
  client.once("end", () => {
    ended = true;
    left.resolve();
  });
  client.once("login", () => joined.resolve());
  for (const event of ["error", "disconnect", "kick_disconnect"] as const) {
    client.once(event, (reason: unknown) => joined.reject(new Error(`${event}: ${Bun.inspect(reason)}`)));
  }
  await joined.promise;
  return () => {
    // The server may have been quicker; then the client's end would only leave a timer behind.
    if (!ended) client.end("done");
    return left.promise;
  };
}

/** The saved chunk 0,0 of a world as text, in which the names of its blocks can be looked for. */
export function savedChunk(world: string): string {
  const file = join(world, "region", "r.0.0.mca");
  if (!existsSync(file)) return "";
  const region = readFileSync(file);
  // Header entry of the chunk: three bytes of offset in sectors of 4 KiB, one of size.
  const at = region.readUIntBE(0, 3) * 4096;
  if (at === 0) return "";
  return inflateSync(region.subarray(at + 5, at + 4 + region.readUInt32BE(at))).toString("latin1");
}
