import { Ticket } from "#shared/contract/ticket.ts";
import type { Stage } from "../exchange.ts";
import { transfer, type TransferLimits } from "./transfer.ts";

/** The answer of a JSON route is its reply; that of a download or upload is what its ticket leads to. */
export const respond =
  (limits: TransferLimits): Stage =>
  async (x) => {
    const { http } = x.route;
    if (!http || !x.answer) return;
    if (http.kind !== "json") {
      x.response = await transfer({
        request: x.request,
        ticket: Ticket.parse(x.answer.reply),
        kind: http.kind,
        log: x.log,
        limits,
      });
      return;
    }
    const headers = { "content-type": "application/json", "cache-control": "no-store", ...x.answer.headers };
    x.response = new Response(http.success === 204 ? null : JSON.stringify(x.answer.reply), {
      status: http.success,
      headers,
    });
  };
