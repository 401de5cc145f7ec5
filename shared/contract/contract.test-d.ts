import { z } from "zod";
import { sample } from "#shared/testing/sample.ts";
import { defineContract } from "./define.ts";
import { implement, verb } from "./implement.ts";

// Checked by the type checker alone: each line below an expectation must not compile.

// @ts-expect-error routes have no handler
implement(sample)(() => ({}));

verb(
  sample,
  "echo",
)(() => async ({ fail, server }) => {
  // @ts-expect-error the code is not declared in the contract
  if (Math.random() > 0.5) fail("nope");
  // @ts-expect-error the details declared for the code are missing
  if (Math.random() > 0.5) fail("rude");
  // @ts-expect-error the route declares no policy.server, so there are no facts
  return { said: server.name };
});

const wrong = async () => ({ said: 1 });
// @ts-expect-error the reply does not match
verb(sample, "echo")(() => wrong);

const rest = {
  summary: "",
  request: z.object({}),
  reply: z.object({}),
  errors: {},
  policy: { auth: "service", guard: "none", idempotency: "safe", timeoutMs: 1 },
} as const;
const base = { service: "backups", version: "1.0.0", calls: [], consumes: [], events: {} } as const;
// @ts-expect-error the subject belongs to another service
defineContract({ ...base, routes: { get: { ...rest, subject: "rpc.billing.v1.invoice.get" } } });

const { policy: _, ...unguarded } = rest;
// @ts-expect-error a route without a policy
defineContract({ ...base, routes: { get: { ...unguarded, subject: "rpc.backups.v1.backup.get" } } });
