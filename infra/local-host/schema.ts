import { z } from "zod";

// The largest VMID that Proxmox allows, and its smallest: both host drivers accept the same numbers.
export const Vmid = z.number().int().min(100).max(999_999_999);
const Port = z.number().int().min(1).max(65_535);
const Tags = z.array(z.string().min(1).max(128)).max(64);
const Description = z.string().max(8192);
const MemoryMiB = z.number().int().min(16).max(16_777_216);
const Hostname = z
  .string()
  .max(253)
  .regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i, "is not a host name");
/** Visible ASCII only: it travels in a header and in an environment variable. */
export const AgentToken = z
  .string()
  .min(16)
  .max(512)
  .regex(/^[\x21-\x7e]+$/, "holds a character that a header cannot carry");

/** A container as the host answers it. The agent's token is never part of it. */
export const Container = z.object({
  vmid: Vmid,
  hostname: z.string(),
  /** Text of the creator, kept byte for byte: ownership is proven by it. */
  description: z.string(),
  tags: z.array(z.string()),
  /** What the control plane reserved; the host stores it and enforces nothing. */
  memoryMiB: z.number().int(),
  /** Whether the agent's process lives now. */
  status: z.enum(["running", "stopped"]),
  node: z.literal("local"),
  ip: z.literal("127.0.0.1"),
  /** Ports may change at a start, when a stranger took one meanwhile: read them after each start. */
  agentPort: Port,
  gamePort: Port,
  idePort: Port,
  /** ISO 8601, UTC, set once by the host. */
  createdAt: z.iso.datetime(),
});
export type Container = z.infer<typeof Container>;

export const ContainerList = z.object({ containers: z.array(Container) });

export const CreateContainer = z.object({
  vmid: Vmid,
  hostname: Hostname,
  description: Description,
  memoryMiB: MemoryMiB,
});
export type CreateContainer = z.infer<typeof CreateContainer>;

/** Members that are absent stay as they are. A new token takes effect at the next start. */
export const UpdateContainer = z.object({
  tags: Tags.optional(),
  description: Description.optional(),
  memoryMiB: MemoryMiB.optional(),
  agentToken: AgentToken.optional(),
});
export type UpdateContainer = z.infer<typeof UpdateContainer>;

/** `timeoutMs`: how long the agent may take after SIGTERM before it is killed. */
export const StopContainer = z.object({ timeoutMs: z.number().int().min(0).max(600_000).optional() });
export type StopContainer = z.infer<typeof StopContainer>;

export const Deleted = z.object({ vmid: Vmid, deleted: z.literal(true) });

export const HostHealth = z.object({
  status: z.literal("ok"),
  node: z.literal("local"),
  /** State of the shared package store; a container works without it, its first install is only slower. */
  packages: z.enum(["installing", "ready", "failed"]),
  /** What a dev container can have here: Bun always, the rest as the machine has it. */
  runtimes: z.array(z.object({ id: z.string(), name: z.string(), version: z.string() })).default([]),
});
export type HostHealth = z.infer<typeof HostHealth>;

export const hostCodes = [
  "request.invalid",
  "request.too_large",
  "auth.required",
  "route.not_found",
  "container.not_found",
  "container.exists",
  "container.running",
  "container.token_missing",
  "container.storage_missing",
  "container.unreadable",
  "agent.build_failed",
  "agent.ended",
  "agent.start_timeout",
  "host.no_port",
  "host.disk_full",
  "host.stopping",
  "internal.error",
] as const;
export type HostCode = (typeof hostCodes)[number];

/** The body of every answer that is not 2xx. */
export const HostProblem = z.object({
  error: z.string(),
  code: z.enum(hostCodes),
  issues: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
});
export type HostProblem = z.infer<typeof HostProblem>;
