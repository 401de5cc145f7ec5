import { AgentConfig, type DevConfig, type GameConfig } from "#shared/agent/contract.ts";
import type { Control } from "../control.ts";
import { findRuntimes } from "../dev/runtimes.ts";
import { flyingSquidVersions } from "../game/flying-squid.ts";
import { readJson, Refusal } from "../http/reply.ts";
import type { Routes } from "../http/server.ts";

/** The configuration that the control plane sends once a container is up, and again whenever it changes. */
export function configRoutes(control: Control): Routes {
  return {
    "/config": {
      async POST({ request }) {
        const config = await readJson(request, AgentConfig);
        if (config.container_type === "game") refuseGame(config);
        else await refuseRuntime(config);
        const { status, body } = await control.configure(config);
        return Response.json(body, { status });
      },
    },
  };
}

function refuseGame(config: GameConfig): void {
  const versions: readonly string[] = flyingSquidVersions;
  const runs = config.game === "minecraft" && config.variant === "flying-squid";
  if (runs && versions.includes(config.version)) return;
  const wanted = `${config.game} ${config.variant} ${config.version}`;
  refuse(wanted, `minecraft flying-squid ${versions.join(", ")}`);
}

async function refuseRuntime({ runtime, version }: DevConfig): Promise<void> {
  const runtimes = await findRuntimes();
  const offered = runtimes.find(({ id }) => id === runtime);
  if (offered && (version === undefined || version === offered.version)) return;
  const wanted = version === undefined ? runtime : `${runtime} ${version}`;
  refuse(wanted, runtimes.map((each) => `${each.id} ${each.version}`).join(", "));
}

function refuse(wanted: string, offered: string): never {
  throw new Refusal(422, "config.unsupported", `This agent cannot run ${wanted}; it runs ${offered}.`);
}
