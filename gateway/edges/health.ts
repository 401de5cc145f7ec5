import type { Bus } from "#shared/bus/connect.ts";
import { z } from "zod";
import { isServing } from "#shared/bus/discover.ts";
import type { Clock } from "#shared/process/clock.ts";
import { jsonSchema } from "../openapi.ts";
import type { Edge } from "./edge.ts";

const Health = z.object({
  status: z.enum(["ok", "degraded"]),
  service: z.literal("gateway"),
  time: z.iso.datetime(),
  version: z.string(),
  services: z.record(z.string(), z.enum(["up", "down"])),
});
const content = { "application/json": { schema: jsonSchema(Health, "output") } };

/** Whether every service answers on the bus: 200, or 503 with the same body while one does not. */
export function health(o: { bus: Bus; services: readonly string[]; version: string; clock: Clock }): Edge {
  return {
    method: "GET",
    path: "/api/health",
    summary: "Whether the gateway and every service are up",
    because: "It must answer while the bus is away, and its body is the same for 200 and 503.",
    policy: { auth: "public", guard: "none" },
    answers: {
      200: { description: "Every service is up", content },
      503: { description: "A service is down; the body says which", content },
    },
    async handle() {
      const states = await Promise.all(
        o.services.map(async (name) => [name, (await isServing(o.bus, name)) ? "up" : "down"] as const),
      );
      const ok = states.every(([, state]) => state === "up");
      const body: z.input<typeof Health> = {
        status: ok ? "ok" : "degraded",
        service: "gateway",
        time: new Date(o.clock.now()).toISOString(),
        version: o.version,
        services: Object.fromEntries(states),
      };
      return Response.json(body, { status: ok ? 200 : 503, headers: { "cache-control": "no-store" } });
    },
  };
}
