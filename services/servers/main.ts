import { agentClient } from "#shared/agent/client.ts";
import { client } from "#shared/bus/client.ts";
import { runService } from "#shared/process/run.ts";
import { billing } from "#services/billing/contract.ts";
import { config } from "./config.ts";
import { servers } from "./contract.ts";
import { startParts } from "./parts.ts";
import { replicasOver } from "./live/replicas.ts";

await runService({
  contract: servers,
  config,
  migrations: new URL("./migrations", import.meta.url).pathname,
  start: ({ config: settings, bus, ...parts }) =>
    startParts({
      ...parts,
      replicas: replicasOver(bus),
      config: settings,
      billing: client(bus, billing),
      agent: (access, timeoutMs) => agentClient({ ...access, timeoutMs }),
    }),
});
