import { runService } from "#shared/process/run.ts";
import { version } from "#shared/process/version.ts";
import { gatewayApp } from "./app.ts";
import { ensureOperator } from "./auth/accounts.ts";
import { gateway } from "./auth/contract.ts";
import { createPasswords } from "./auth/passwords.ts";
import { accountChanged } from "./auth/reactions/billing-account-changed.ts";
import { gatewayService } from "./auth/service.ts";
import { createSessions } from "./auth/sessions.ts";
import { createTokens } from "./auth/tokens.ts";
import { config } from "./config.ts";
import { gatewayEdges } from "./edges/index.ts";
import { listen } from "./listen.ts";
import { hostRules } from "./pipeline/host.ts";
import { pipeline } from "./pipeline/index.ts";
import { registry } from "./registry.ts";
import {
  addressRules,
  operatorOf,
  publicUrl,
  sessionOptions,
  tokenOptions,
  transferLimits,
} from "./settings.ts";

await runService({
  contract: gateway,
  config,
  migrations: new URL("./auth/migrations", import.meta.url).pathname,
  async start({ config: env, bus, db, log, clock }) {
    const passwords = await createPasswords({ concurrency: env.PASSWORD_CONCURRENCY });
    const tokens = createTokens({ ...tokenOptions(env), clock });
    const sessions = createSessions({ ...sessionOptions(env), db, tokens, clock });
    const own = gatewayService({ db, passwords, sessions });
    const operator = operatorOf(env);
    if (operator) await ensureOperator({ db, passwords }, operator);
    const addresses = addressRules(env);
    const services = registry.map(({ service }) => service).filter((name) => name !== gateway.service);
    const app = gatewayApp({
      registry,
      edges: gatewayEdges({ bus, services, version, clock }),
      pipeline: pipeline({
        bus,
        own,
        sessions,
        addresses,
        limits: transferLimits(env),
      }),
      hosts: hostRules({ allowed: env.ZPACK_ALLOWED_HOSTS, publicUrl: publicUrl(env) }),
      addresses,
      version,
      log,
    });
    return { reactions: [accountChanged({ db })], workers: [listen(app, env)] };
  },
});
