/** A container as its host describes it. */
export type HostContainer = {
  vmid: number;
  node: string;
  hostname: string;
  description: string;
  tags: readonly string[];
  memoryMiB: number;
  status: "running" | "stopped";
};

/** Where a running container can be reached. */
export type HostAddress = { ip: string; agentPort: number; gamePort: number; idePort: number };

/**
 * Why a call to a host did not succeed; the only error that a driver throws.
 * - `taken`: the VMID of a create exists already.
 * - `refused`: the host said no, and will say so again.
 * - `unavailable`: nothing happened; the same call may succeed later.
 * - `unknown`: no answer, or none that says what happened: look before anything else.
 */
export class HostError extends Error {
  override readonly name = "HostError";
  readonly kind: "taken" | "refused" | "unavailable" | "unknown";

  constructor(kind: HostError["kind"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

/** What provisioning asks of a host. Every call may be repeated; none acts on a container before its caller looked whose it is. */
export type HostDriver = {
  /** The storage that new containers are cloned to, by which clones are counted. */
  readonly storage: string;
  /** The machines of the host; only of an `online` one is it known what stands on it. */
  nodes(): Promise<readonly { node: string; status: "online" | "offline" }[]>;
  /** What a dev container can bring here; each is there in one version. */
  runtimes(): Promise<readonly { id: string; name: string; version: string }[]>;
  /** Every container there is, in one call whatever their number. */
  inventory(): Promise<readonly HostContainer[]>;
  /** `undefined` only when the host says that there is no such container; any doubt is an error. */
  locate(vmid: number): Promise<HostContainer | undefined>;
  create(o: { vmid: number; hostname: string; description: string; memoryMiB: number }): Promise<void>;
  configure(
    vmid: number,
    o: { tags: readonly string[]; memoryMiB: number; agentToken: string },
  ): Promise<void>;
  start(vmid: number): Promise<void>;
  /** Stops in order for `timeoutMs` milliseconds, then by force. */
  stop(vmid: number, o: { timeoutMs: number }): Promise<void>;
  /** Of a stopped container; one that is gone is no error. */
  destroy(vmid: number): Promise<void>;
  /** `undefined` while the container has none. */
  address(vmid: number): Promise<HostAddress | undefined>;
};
