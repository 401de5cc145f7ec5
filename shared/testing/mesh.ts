import { type Bus, closeBus, connectBus } from "#shared/bus/connect.ts";
import { authorizationConfig, rightsOf } from "#infra/nats/rights.ts";
import { ensureStreams } from "#shared/bus/streams.ts";
import type { Contract } from "#shared/contract/define.ts";
import { silentLogger } from "#shared/telemetry/log.ts";
import { until } from "./call.ts";
import { natsForTest } from "./nats.ts";

export type Mesh = AsyncDisposable & {
  server: Awaited<ReturnType<typeof natsForTest>>;
  /** A connection under the user of a service, or `admin`; the same one at every call. */
  bus(name: string): Promise<Bus>;
};

/** A private bus with the users, rights, streams and consumers that the contracts of `registry` give. */
export async function meshForTest(registry: readonly Contract[]): Promise<Mesh> {
  const rights = rightsOf(registry);
  const server = await natsForTest({
    config: authorizationConfig(rights, (user) => `${user}-password`),
    jetstream: true,
  });
  const buses = new Map<string, Promise<Bus>>();
  const bus = (name: string) => {
    const known = buses.get(name);
    if (known) return known;
    const made = connectBus({
      name,
      url: server.url,
      user: name,
      password: `${name}-password`,
      log: silentLogger,
    });
    buses.set(name, made);
    return made;
  };
  await ensureStreams(await bus("admin"), registry);
  return {
    server,
    bus,
    async [Symbol.asyncDispose]() {
      await Promise.all([...buses.values()].map(async (made) => closeBus(await made)));
      await server[Symbol.asyncDispose]();
    },
  };
}

/** Resolves when all have noticed that their connection is lost: before that a server that is back looks like one that stayed. */
export async function lost(...buses: readonly Bus[]): Promise<void> {
  await until(
    () => buses.every(({ link }) => !link.isUp),
    (down) => down,
  );
}

/** Resolves when all are connected again, and the server has heard again what they subscribe to. */
export async function back(...buses: readonly Bus[]): Promise<void> {
  await Promise.all(
    buses.map(async ({ link, nc }) => {
      await link.whenUp(new AbortController().signal);
      await nc.flush();
    }),
  );
}
