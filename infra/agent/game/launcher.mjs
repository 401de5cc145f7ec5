// The program that runs flying-squid in a server's directory. The agent writes it out beside the installed
// package and starts it with one argument, the settings as JSON (see flying-squid.ts). It adds what a hosted
// server needs and flying-squid lacks: save-off, save-on, save-all, and a stop that loses nothing.
import { createRequire } from "node:module";

const { createMCServer } = createRequire(import.meta.url)("flying-squid");
const settings = JSON.parse(process.argv[2]);
const server = createMCServer({
  version: settings.version,
  host: settings.host,
  port: settings.port,
  motd: settings.motd,
  "max-players": settings.maxPlayers,
  "online-mode": settings.onlineMode,
  gameMode: settings.gameMode,
  difficulty: settings.difficulty,
  "view-distance": settings.viewDistance,
  // Absolute, or nothing is ever written to disk.
  worldFolder: settings.worldFolder,
  generation: { name: "superflat", options: { worldHeight: 80 } },
  logging: false,
  kickTimeout: 10_000,
  plugins: {},
  modpe: false,
  "player-list-text": { header: { text: settings.motd }, footer: { text: "" } },
  "everybody-op": false,
  "max-entities": 100,
  beforePing: (answer) => ({
    ...answer,
    players: {
      ...answer.players,
      sample: (server.players ?? [])
        .slice(0, 100)
        .map(({ username, uuid }) => ({ name: username, id: uuid })),
    },
  }),
});

// Writes that were begun and not awaited by flying-squid: block changes and player files.
const begun = new Set();
function track(promise) {
  const settled = Promise.resolve(promise).catch((error) => server.err(`Not saved: ${error.message}`));
  begun.add(settled);
  void settled.then(() => begun.delete(settled));
  return promise;
}

async function settle() {
  while (begun.size > 0) await Promise.all(begun);
}

/** prismarine-world forgets chunks that change while it saves; this keeps what was queued again meanwhile. */
function keepChangesWhileSaving(world) {
  world.saveNow = async () => {
    const batch = [...world.savingQueue];
    if (batch.length === 0) return;
    world.finishedSaving = Promise.all(
      batch.map(([key, at]) => world.storageProvider.save(at.chunkX, at.chunkZ, world.columns[key])),
    );
    await world.finishedSaving;
    for (const [key, at] of batch) if (world.savingQueue.get(key) === at) world.savingQueue.delete(key);
    for (const [key, at] of world.unloadQueue) {
      if (!world.savingQueue.has(key)) world.forceUnloadColumn(key, at.chunkX, at.chunkZ);
    }
    world.emit("doneSaving");
  };
}

async function saveAll() {
  await settle();
  await Promise.all(server.players.map((player) => player.save()));
  await server.overworld.saveNow();
  await settle();
}

function command(base, info, action) {
  server.commands.add({ base, info, usage: `/${base}`, op: true, action });
}

server.on("newPlayer", (player) => {
  const save = player.save;
  player.save = () => track(save());
});

server.on("pluginsReady", () => {
  // People type the slash that players need; the console's commands have none.
  const handleCommand = server.handleCommand;
  server.handleCommand = (line) => handleCommand(line.replace(/^\//, ""));
  const setBlock = server.setBlock;
  server.setBlock = (...change) => track(setBlock(...change));
  keepChangesWhileSaving(server.overworld);
  command("save-off", "stop writing the world to disk", () => {
    server.overworld.stopSaving();
    server.info("Automatic saving is now disabled");
  });
  command("save-on", "write the world to disk again", () => {
    server.overworld.stopSaving();
    server.overworld.startSaving();
    server.info("Automatic saving is now enabled");
  });
  command("save-all", "write the world to disk now", async () => {
    await saveAll();
    server.info("Saved the game");
  });
  command("stop", "save and stop the server", async () => {
    server.info("Stopping the server");
    await saveAll();
    await server.quit("Server closed");
    await settle();
    process.exit(0);
  });
});

server.on("error", (error) => {
  // Without its port the server is of no use: an exit code says so, where flying-squid would stay alive.
  if (error.code === "EADDRINUSE" || error.code === "EACCES") process.exit(1);
});

server.on("ready", () => server.info(`Done! Minecraft ${settings.version} on port ${settings.port}`));
