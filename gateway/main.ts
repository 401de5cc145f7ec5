import { runService } from "#shared/process/run.ts";
import { version } from "#shared/process/version.ts";
import { gatewayApp } from "./app.ts";
import { gateway } from "./auth/contract.ts";
import { createAuth } from "./auth/create.ts";
import { config } from "./config.ts";
import { gatewayEdges } from "./edges/index.ts";
import { listen } from "./listen.ts";
import { hostRules } from "./pipeline/host.ts";
import { pipeline } from "./pipeline/index.ts";
import { registry } from "./registry.ts";
import { addressRules, publicUrl, transferLimits } from "./settings.ts";

await runService({
  contract: gateway,
  config,
  migrations: new URL("./auth/migrations", import.meta.url).pathname,
  async start({ config: env, bus, db, log, clock }) {
    const { own, sessions, reactions } = await createAuth(env, { db, clock });
    const addresses = addressRules(env);
    const services = registry.map(({ service }) => service).filter((name) => name !== gateway.service);
    const app = gatewayApp({
      registry,
      edges: gatewayEdges({ bus, services, version, clock }),
      pipeline: pipeline({ bus, own, sessions, addresses, limits: transferLimits(env) }),
      hosts: hostRules({ allowed: env.ZPACK_ALLOWED_HOSTS, publicUrl: publicUrl(env) }),
      addresses,
      version,
      log,
    });
    return { reactions, workers: [listen(app, env)] };
  },
});
