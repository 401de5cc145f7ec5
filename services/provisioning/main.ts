import { billing } from "#services/billing/contract.ts";
import { servers } from "#services/servers/contract.ts";
import { authorityOver } from "#shared/bus/authority.ts";
import { client } from "#shared/bus/client.ts";
import { runService } from "#shared/process/run.ts";
import { config } from "./config.ts";
import { provisioning } from "./contract.ts";
import { joinDeletes } from "./keyed-deletes.ts";
import { partsOf } from "./parts.ts";
import { accountChanged } from "./reactions/account-changed.ts";
import { provisioningService } from "./service.ts";
import { startProvisioningWorkers } from "./worker.ts";

await runService({
  contract: provisioning,
  config,
  migrations: new URL("./migrations", import.meta.url).pathname,
  start: ({ config: settings, bus, db, clock, log, wake }) => {
    const outside = { db, clock, servers: client(bus, servers), billing: client(bus, billing) };
    const deps = partsOf(outside, settings);
    return {
      service: provisioningService(deps),
      authority: joinDeletes(authorityOver(bus, servers), db),
      reactions: [accountChanged(deps)],
      workers: startProvisioningWorkers({ ...deps, settings, log, wake }),
    };
  },
});
