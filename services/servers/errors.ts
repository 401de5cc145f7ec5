import { z } from "zod";
import { gated } from "#services/billing/contract.ts";

// Errors that several routes of the contract declare.

export const notFound = { not_found: { status: 404, title: "There is no such server" } } as const;
export const stale = { stale: { status: 409, title: "A newer change came first" } } as const;

/** The errors of `authorize`: every route with `policy.server` may end with them. */
export const authorityErrors = {
  ...notFound,
  busy: {
    status: 409,
    title: "Another operation is running on this server",
    retryable: true,
    details: z.object({ operation: z.record(z.string(), z.unknown()) }),
  },
  ...gated,
} as const;
