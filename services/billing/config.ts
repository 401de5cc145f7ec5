import { z } from "zod";
import { milliseconds } from "#shared/config/env.ts";

export const config = z.object({
  /** How often the enforcement queue is looked at when no wake arrives. */
  BILLING_SWEEP_MS: milliseconds(5_000),
  /** After this time without a heartbeat another worker takes an account over. */
  BILLING_LEASE_MS: milliseconds(15_000),
});
