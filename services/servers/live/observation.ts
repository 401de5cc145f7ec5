import { z } from "zod";
import { AgentStatus } from "#shared/agent/contract.ts";

/** What one agent said about its server, as of the last round of questions. Times are milliseconds since the epoch. */
export const Observation = z.object({
  begunAt: z.number(),
  endedAt: z.number(),
  /** `/health` answered. */
  present: z.boolean(),
  /** When any question was last answered; null: never since this process began. */
  seenAt: z.number().nullable(),
  ready: z.object({
    /** `/ready` said so in this round: status 200 and a body with `ready: true`. Everything else is a no. */
    ready: z.boolean(),
    reason: z.string().nullable(),
    /** When `/ready` last gave an answer that means something, whichever. */
    answeredAt: z.number().nullable(),
  }),
  /** The answer of `/status` in this round; null: there was none, and `error` is the sentence that says why. */
  status: AgentStatus.nullable(),
  error: z.string().nullable(),
  version: z.object({ name: z.string(), at: z.number() }).nullable(),
  players: z.object({ online: z.number(), max: z.number() }).nullable(),
});
export type Observation = z.output<typeof Observation>;

/** Whether anything at all was answered in that round. */
export const isAnswered = (seen: Observation): boolean => seen.seenAt === seen.endedAt;
