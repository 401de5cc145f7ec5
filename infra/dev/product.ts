import { registry } from "#gateway/registry.ts";
import { processes } from "#infra/processes.ts";
import { closeBus, connectBus } from "#shared/bus/connect.ts";
import { authorizationConfig, rightsOf } from "#infra/nats/rights.ts";
import { ensureStreams } from "#shared/bus/streams.ts";
import { silentLogger } from "#shared/telemetry/log.ts";
import type { Product } from "./options.ts";

/** What is started and prepared: the table of processes, and users, rights and streams as the contracts give them. */
export const product: Product = {
  processes,
  authorization: (password) => authorizationConfig(rightsOf(registry), password),
  async prepareBus(admin) {
    const bus = await connectBus({ name: "admin", ...admin, log: silentLogger });
    try {
      await ensureStreams(bus, registry);
    } finally {
      await closeBus(bus);
    }
  },
};
