import { AgentConfig } from "#shared/agent/contract.ts";
import type { Control } from "../control.ts";
import { flyingSquidVersions } from "../game/flying-squid.ts";
import { readJson, Refusal } from "../http/reply.ts";
import type { Routes } from "../http/server.ts";

/** The configuration that the control plane sends once a container is up, and again whenever it changes. */
export function configRoutes(control: Control): Routes {
  return {
    "/config": {
      async POST({ request }) {
        const config = await readJson(request, AgentConfig);
        refuseUnsupported(config);
        const { status, body } = await control.configure(config);
        return Response.json(body, { status });
      },
    },
  };
}

function refuseUnsupported(config: AgentConfig): void {
  if (config.container_type === "dev") return;
  const versions: readonly string[] = flyingSquidVersions;
  const runs = config.game === "minecraft" && config.variant === "flying-squid";
  if (runs && versions.includes(config.version)) return;
  const wanted = `${config.game} ${config.variant} ${config.version}`;
  const offered = `minecraft flying-squid ${versions.join(", ")}`;
  throw new Refusal(422, "config.unsupported", `This agent cannot run ${wanted}; it runs ${offered}.`);
}
