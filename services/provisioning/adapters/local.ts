import { localHost, LocalHostError } from "#infra/local-host/contract.ts";
import { HostError, type HostDriver } from "./host-driver.ts";

/** The local host: a daemon whose containers are directories with an agent process. Timeouts in milliseconds. */
export function localDriver(o: {
  url: string;
  token: string;
  timeoutMs: number;
  slowTimeoutMs: number;
}): HostDriver {
  const host = localHost(o);
  return {
    storage: "local",
    async nodes() {
      const { node } = await told(host.health());
      return [{ node, status: "online" }];
    },
    runtimes: async () => (await told(host.health())).runtimes,
    inventory: () => told(host.list()),
    locate: (vmid) => told(host.find(vmid)),
    create: (container) => done(host.create(container)),
    configure: (vmid, { tags, ...rest }) => done(host.update(vmid, { tags: [...tags], ...rest })),
    start: (vmid) => done(host.start(vmid)),
    stop: (vmid, { timeoutMs }) => done(host.stop(vmid, { timeoutMs })),
    destroy: (vmid) => done(host.remove(vmid).catch(goneIsGone)),
    async address(vmid) {
      const container = await told(host.find(vmid));
      if (container?.status !== "running") return undefined;
      const { ip, agentPort, gamePort, idePort } = container;
      return { ip, agentPort, gamePort, idePort };
    },
  };
}

const told = <T>(call: Promise<T>): Promise<T> =>
  call.catch((error: unknown) => {
    throw hostError(error);
  });

const done = async (call: Promise<unknown>): Promise<void> => void (await told(call));

function goneIsGone(error: unknown): void {
  if (!(error instanceof LocalHostError && error.code === "container.not_found")) throw error;
}

// The answers after which the same call may succeed: nothing was done, and what is in the way passes.
const passing = new Set(["host.stopping", "host.no_port", "agent.build_failed", "agent.ended"]);

function hostError(error: unknown): HostError {
  if (!(error instanceof LocalHostError)) return new HostError("unknown", String(error), { cause: error });
  return new HostError(kindOf(error), error.message, { cause: error });
}

function kindOf({ kind, code }: LocalHostError): HostError["kind"] {
  if (kind === "refused" || passing.has(code)) return "unavailable";
  if (kind === "silent" || code === "agent.start_timeout") return "unknown";
  return code === "container.exists" ? "taken" : "refused";
}
