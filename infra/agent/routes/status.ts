import type { Players, Ready, Version } from "#shared/agent/contract.ts";
import { version } from "#shared/process/version.ts";
import type { Control } from "../control.ts";
import { Refusal } from "../http/reply.ts";
import type { Routes } from "../http/server.ts";

const build: Version = { agent: "zpack-reference", version, contract: 1 };

/** What the poller and the customer read; nothing here changes anything. */
export function statusRoutes(control: Control): Routes {
  return {
    "/health": { GET: () => Response.json({ ok: true }) },
    "/version": { GET: () => Response.json(build) },
    "/status": { GET: () => Response.json(control.status()) },
    "/ready": { GET: async () => Response.json(await ready(control)) },
    "/game/players": { GET: async () => Response.json(await players(control)) },
  };
}

function ready(control: Control): Promise<Ready> | Ready {
  const { configured, state } = control.status();
  if (!configured) return { ready: false, reason: "not_configured" };
  return control.workload()?.ready() ?? { ready: false, reason: state };
}

function players(control: Control): Promise<Players> | Players {
  if (control.status().container_type === "dev")
    throw new Refusal(409, "dev.no_players", "A dev container has no players.");
  return control.workload()?.players() ?? { online: 0, max: 0, players: [] };
}
