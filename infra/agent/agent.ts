import { type Clock, systemClock } from "#shared/process/clock.ts";
import { type Logger, silentLogger } from "#shared/telemetry/log.ts";
import { ConsoleHub } from "./console/hub.ts";
import { Control } from "./control.ts";
import { serveHttp } from "./http/server.ts";
import { configRoutes } from "./routes/config.ts";
import { consoleRoutes } from "./routes/console.ts";
import { powerRoutes } from "./routes/power.ts";
import { statusRoutes } from "./routes/status.ts";
import { Store } from "./store.ts";
import type { Admission } from "./token.ts";
import type { GameTiming } from "./workload/game.ts";

export type AgentOptions = {
  /** Who may ask: see `admissionOf`. */
  admission: Admission;
  /** 0 for any free one. */
  port: number;
  /** The host keeps the port for us by a socket of its own: we bind it beside that one. */
  portIsHeld?: boolean;
  bind: string;
  /** The one directory that the agent writes to; absolute. */
  root: string;
  /** Where the game listens, whatever its configuration says. */
  gamePort?: number;
  packageStore?: string;
  timing?: Partial<GameTiming>;
  clock?: Clock;
  log?: Logger;
};

export type Agent = {
  port: number;
  /** Stops the workload in order, then the HTTP server; resolves when both are gone. */
  stop(): Promise<void>;
};

const timing: GameTiming = {
  crashBackoffMs: [30_000, 60_000, 120_000],
  crashResetMs: 30_000,
  stopMs: 10_000,
  pingMs: 1500,
  probeMs: 100,
  startMs: 120_000,
};

/** Starts an agent in this process. Throws when its port is taken or its state cannot be read. */
export function startAgent(options: AgentOptions): Agent {
  const {
    admission,
    port,
    portIsHeld = false,
    bind,
    root,
    clock = systemClock,
    log = silentLogger,
  } = options;
  const { gamePort, packageStore } = options;
  const hub = new ConsoleHub();
  const control = new Control({
    root,
    bind,
    ...(gamePort === undefined ? {} : { gamePort }),
    ...(packageStore === undefined ? {} : { packageStore }),
    timing: { ...timing, ...options.timing },
    store: new Store(root),
    console: hub,
    clock,
    log,
  });
  const routes = [
    statusRoutes(control),
    configRoutes(control),
    powerRoutes(control),
    consoleRoutes(control, hub),
  ];
  const server = serveHttp({ bind, port, portIsHeld, admission, routes, log });
  control.resume();
  return {
    port: server.port ?? port,
    async stop() {
      await control.shutdown();
      await server.stop(true);
    },
  };
}
