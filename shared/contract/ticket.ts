import { z } from "zod";

/**
 * Permission for one transfer, answered by the service of a download or upload route. The gateway sends the request
 * that it describes and pipes the body; it lives in the gateway's memory for that one request only.
 */
export const Ticket = z.object({
  method: z.enum(["GET", "PUT", "POST"]),
  url: z.url(),
  headers: z.record(z.string(), z.string()),
});
export type Ticket = z.infer<typeof Ticket>;
