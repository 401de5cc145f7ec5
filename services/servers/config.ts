import { z } from "zod";
import { milliseconds } from "#shared/config/env.ts";
import type { VmidRange } from "./store.ts";

export type VmidRanges = Record<"game" | "dev", VmidRange[]>;

/**
 * `game:5000-5999,dev:6000-6999`: comma-separated `<type>:<first>-<last>`, both ends included. A type may have several
 * ranges; each has one at least, and no two overlap.
 */
const VmidRanges = z.string().transform((text, ctx): VmidRanges => {
  const ranges: VmidRanges = { game: [], dev: [] };
  const refuse = (message: string) => {
    ctx.addIssue({ code: "custom", message });
    return z.NEVER;
  };
  const all: VmidRange[] = [];
  for (const part of text.split(",").map((each) => each.trim())) {
    const [, ctype, first, last] = /^(game|dev):(\d{3,9})-(\d{3,9})$/.exec(part) ?? [];
    if (ctype !== "game" && ctype !== "dev") return refuse(`"${part}" is not of the form game:5000-5999`);
    const range = { from: Number(first), to: Number(last) };
    if (range.from < 100) return refuse(`${part}: numbers below 100 belong to the host`);
    if (range.from > range.to) return refuse(`${part}: the first number is larger than the last`);
    if (all.some((other) => range.from <= other.to && other.from <= range.to))
      return refuse(`${part} overlaps another range`);
    all.push(range);
    ranges[ctype].push(range);
  }
  if (ranges.game.length === 0 || ranges.dev.length === 0) return refuse("game and dev need a range each");
  return ranges;
});

const count = (fallback: number) => z.coerce.number().int().min(1).default(fallback);

/** The service's own settings; times in milliseconds. */
export const config = z.object({
  VMID_RANGES: z.string().default("game:5000-5999,dev:6000-6999").pipe(VmidRanges),
  /** How long a VMID that was given back, or found taken at the host, is not handed out. */
  VMID_REST_MS: milliseconds(24 * 60 * 60_000),
  /** Between two rounds of questions to one agent. */
  AGENT_POLL_MS: count(5_000),
  /** Bound of each call of a round. */
  AGENT_CALL_MS: count(2_000),
  /** Agents that are asked at the same time. */
  AGENT_POLL_CONCURRENCY: count(32),
  /** An agent that has not answered after this keeps no other one waiting. */
  AGENT_PATIENCE_MS: count(250),
  /** After this without a sign of life the other replicas take over the agents that a replica asks. */
  AGENT_LEASE_MS: count(10_000),
  /** After this an observation says nothing about the present any more. */
  AGENT_TTL_MS: count(15_000),
  /** How long the version that an agent named is believed. */
  AGENT_VERSION_MS: milliseconds(60_000),
  /** A status request asks the agent when the last round is older than this. */
  STATUS_FRESH_MS: milliseconds(5_000),
  /** How long the row of a server that was asked for is remembered. */
  RECORD_MS: milliseconds(1_000),
  /** An operation lock without a heartbeat for so long is nobody's. */
  LOCK_EXPIRY_MS: count(60_000),
  /** So is one that was taken so long ago for an operation that has not begun: who took it was killed before that. */
  LOCK_BEGIN_MS: count(20_000),
  /** Bound of the call that asks an agent to start, stop or restart the game. */
  POWER_CALL_MS: count(8_000),
  /** Between two looks at a game that is being started or stopped. */
  POWER_POLL_MS: count(500),
  /** After this without a sign of life another process takes an operation over. */
  POWER_LEASE_MS: count(10_000),
  /** How often the queue of operations is looked at when no wake arrives. */
  POWER_SWEEP_MS: count(2_000),
  /** A game that is still idle so long after its agent agreed to start it was not started. */
  POWER_IDLE_MS: milliseconds(5_000),
  /** A power operation that has not reached its end after this fails. */
  POWER_DEADLINE_MS: count(120_000),
  /** Between two comparisons of what should run with what runs, for all servers. */
  RECONCILE_SWEEP_MS: count(15_000),
  /** How long a server is left alone after a power operation of it failed; doubled with each failed start in a row. */
  RECONCILE_RETRY_MS: milliseconds(30_000),
  /** Never longer than this between two such starts. */
  RECONCILE_RETRY_MAX_MS: milliseconds(30 * 60_000),
});
export type Config = z.output<typeof config>;
