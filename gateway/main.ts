import { runService } from "#shared/process/run.ts";
import { version } from "#shared/process/version.ts";
import { gatewayApp } from "./app.ts";
import { gateway } from "./auth/contract.ts";
import { createAuth } from "./auth/create.ts";
import { meshService } from "./auth/service.ts";
import { config } from "./config.ts";
import { gatewayEdges } from "./edges/index.ts";
import { listen } from "./listen.ts";
import { pipeline } from "./pipeline/index.ts";
import { registry } from "./registry.ts";
import { frontRules, pipelineRules } from "./settings.ts";

await runService({
  contract: gateway,
  config,
  migrations: new URL("./auth/migrations", import.meta.url).pathname,
  async start({ config: env, bus, db, log, clock, wake }) {
    const { own, sessions, ...auth } = await createAuth(env, { bus, db, log, clock, wake });
    const services = registry.map(({ service }) => service).filter((name) => name !== gateway.service);
    const app = gatewayApp({
      registry,
      edges: gatewayEdges({ bus, services, version, clock }),
      pipeline: pipeline({ bus, db, own, sessions, clock, ...pipelineRules(env) }),
      ...frontRules(env),
      version,
      log,
    });
    return { ...auth, service: meshService(own), workers: [...auth.workers, listen(app, env)] };
  },
});
