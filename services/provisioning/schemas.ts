import { z } from "zod";
import { PlanName } from "#services/billing/contract.ts";

/** Something that can be chosen: a variant of a game, or the runtime of a dev container. */
export const Choosable = z.object({
  id: z.string(),
  name: z.string(),
  /** Newest first. */
  versions: z.array(z.string()),
  /** What a create without a version gets. */
  defaultVersion: z.string(),
  /** What the host must have for it; empty: runs anywhere. */
  requires: z.array(z.string()),
  /** Whether this installation can create it now. */
  available: z.boolean(),
});

const Kind = z.enum(["game", "dev"]);

/**
 * Body of a create. Either name of the type is accepted; members that are not known are ignored, and so are those of
 * the other type.
 */
export const CreateServer = z
  .object({
    ctype: Kind.optional(),
    type: Kind.optional(),
    game: z.string().max(40).optional(),
    variant: z.string().max(40).optional(),
    /** Of the game, or of a dev container's runtime. */
    version: z.string().max(40).optional(),
    runtime: z.string().max(40).optional(),
    memoryMiB: z.int().min(256).max(65_536).default(1_024),
    name: z
      .string()
      .trim()
      .min(1)
      .max(64)
      .regex(/^[^\p{Cc}\p{Cs}]+$/u, "must not contain control characters")
      .optional(),
    /** No installation has any yet: a list that is not empty is refused. */
    addons: z.array(z.string().max(64)).max(20).default([]),
  })
  .superRefine(({ ctype, type }, refusal) => {
    if (ctype === undefined && type === undefined)
      refusal.addIssue({ code: "custom", path: ["ctype"], message: "must be game or dev" });
    if (ctype !== undefined && type !== undefined && ctype !== type)
      refusal.addIssue({ code: "custom", path: ["type"], message: `contradicts ctype, which is ${ctype}` });
  });

export const quotaExceeded = {
  quota_exceeded: {
    status: 409,
    title: "The plan's limit is reached",
    details: z.object({
      resource: z.enum(["servers", "memory"]),
      limit: z.int(),
      used: z.int(),
      plan: PlanName,
      resolveUrl: z.string(),
    }),
  },
} as const;

const Vmid = z.int();

/** What the registry and the host say about every number that is ours to use, where they disagree. */
export const Inventory = z.object({
  ok: z.literal(true),
  observedAt: z.iso.datetime(),
  ranges: z.array(z.object({ ctype: Kind, first: Vmid, last: Vmid })),
  nodes: z.array(z.object({ node: z.string(), status: z.string() })),
  counts: z.object({ rows: z.int(), containers: z.int() }),
  /** A reservation counts as a row. */
  rowsWithoutContainer: z.array(
    z.object({
      vmid: Vmid,
      instanceId: z.string().nullable(),
      customerId: z.string().nullable(),
      ctype: z.string(),
      node: z.string().nullable(),
      hostname: z.string().nullable(),
      state: z.string(),
    }),
  ),
  /** `ours`: it carries a mark of this installation. */
  containersWithoutRow: z.array(
    z.object({ vmid: Vmid, node: z.string(), hostname: z.string(), ours: z.boolean() }),
  ),
  wrongNode: z.array(
    z.object({ vmid: Vmid, instanceId: z.string(), recorded: z.string(), actual: z.string() }),
  ),
});
