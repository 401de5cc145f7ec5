import minecraft from "minecraft-protocol";

/** What a server's list entry says. */
export async function ping(
  address: string,
  version: string,
): Promise<{ version: string; online: number; max: number }> {
  const { host, port } = split(address);
  const answer = (await minecraft.ping({ host, port, version })) as {
    version: { name: string };
    players: { online: number; max: number };
  };
  return { version: answer.version.name, online: answer.players.online, max: answer.players.max };
}

export type Player = {
  leave(): void;
  /** Calls back once the connection has ended, whoever ended it. */
  ended(then: () => void): void;
};

/** Joins as a player and resolves once the server has put it into the world; `leave` disconnects. */
export async function join(address: string, version: string, username: string): Promise<Player> {
  const client = minecraft.createClient({ ...split(address), version, username, auth: "offline" });
  await new Promise<void>((resolve, reject) => {
    client.once("login", () => resolve());
    client.once("error", reject);
    client.once("kick_disconnect", (packet: unknown) =>
      reject(new Error(`kicked: ${JSON.stringify(packet)}`)),
    );
    client.once("end", (reason: string) => reject(new Error(`the connection ended: ${reason}`)));
  });
  return { leave: () => client.end("bye"), ended: (then) => void client.once("end", () => then()) };
}

function split(address: string): { host: string; port: number } {
  const at = address.lastIndexOf(":");
  return { host: address.slice(0, at), port: Number(address.slice(at + 1)) };
}
