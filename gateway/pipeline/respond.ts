import { Ticket } from "#shared/contract/ticket.ts";
import type { Exchange, Stage } from "../exchange.ts";
import { transfer, type TransferLimits } from "./transfer.ts";

/** The answer of a JSON route is its reply; that of a download or upload is what its ticket leads to. */
export const respond =
  (limits: TransferLimits): Stage =>
  (x) => {
    const { http } = x.route;
    if (!http || !x.answer) return undefined;
    if (http.kind !== "json") return pipe(x, http.kind, limits);
    const { headers } = x;
    headers["content-type"] = "application/json";
    headers["cache-control"] = "no-store";
    const told = Object.entries(x.answer.headers);
    for (const [name, value] of told) if (name !== "set-cookie" || http.cookie) headers[name] = value;
    const body = http.success === 204 ? null : x.answer.body;
    x.response = new Response(body, { status: http.success, headers });
    return undefined;
  };

/** Seconds, the most that the runtime counts: what was piped last may still be on its way to a slow client. */
const afterTransfer = 255;

async function pipe(x: Exchange, kind: "download" | "upload", limits: TransferLimits): Promise<void> {
  const ticket = Ticket.parse(await new Response(x.answer?.body).json());
  // Only now: whoever was refused until here, and keeps the connection, is not waited for.
  x.rest(0);
  const ended = () => x.rest(afterTransfer);
  const response = await transfer({ request: x.request, ticket, kind, log: x.log, limits, ended });
  for (const [name, value] of Object.entries(x.headers))
    if (name === "vary") response.headers.append(name, value);
    else response.headers.set(name, value);
  x.response = response;
}
