// The only module that pipes bytes between a client and the holder of a file. It holds one chunk at a time: each side is
// read when the other one asks for more. The streams are wrapped because an error after the headers escapes any try/catch
// around `fetch`: the wrapper is where such an end is seen, named and logged.
import type { Ticket } from "#shared/contract/ticket.ts";
import { AgentError, agentFault, keptBody } from "#shared/agent/error.ts";
import { coreFault } from "#shared/fault/core.ts";
import { type Clock, systemClock } from "#shared/process/clock.ts";
import type { Logger } from "#shared/telemetry/log.ts";
import { requestHeaders, responseHeaders } from "./transfer-headers.ts";
import { watchdog } from "./watchdog.ts";

export type TransferLimits = {
  /** Milliseconds until the head of the answer to a download. */
  firstByteMs: number;
  /** Milliseconds without a byte moving, on either side. There is no limit to the whole. */
  stallMs: number;
};

export type Transfer = {
  request: Request;
  ticket: Ticket;
  kind: "download" | "upload";
  log: Logger;
  limits: TransferLimits;
  /** Called once, when nothing more is piped. */
  ended?: () => void;
  clock?: Clock;
};

/** Why a transfer ended before its end. */
export type Cut =
  "client_abort" | "client_stall" | "upstream_timeout" | "upstream_refused" | "upstream_reset";

/**
 * Sends the request of a ticket and pipes the bodies. Resolves with the holder's answer when that is a success; rejects
 * with `upstream.*` (its answer under `details.upstream`) or, when the client went away, with `request.cancelled`. A
 * transfer that is cut after its head is broken off towards the client: it never looks like a complete, shorter one.
 *
 * The caller lifts the server's idle time-out until `ended`: the limits here take its place.
 */
export async function transfer(o: Transfer): Promise<Response> {
  const run = startRun(o);
  const { request, ticket, kind } = o;
  const body = kind === "upload" && request.body ? run.upload(request.body) : null;
  let answer: Response;
  try {
    answer = await fetch(ticket.url, {
      method: ticket.method,
      headers: requestHeaders(request.headers, ticket.headers),
      body,
      signal: run.signal,
      redirect: "manual",
      decompress: false,
      // A connection per transfer: a pooled one may be dead without our knowing, and an upload cannot be sent twice.
      keepalive: false,
    });
  } catch (error) {
    throw run.failed(error);
  }
  if (!answer.ok && answer.status !== 304) throw await run.refused(answer);
  return new Response(run.download(answer), {
    status: answer.status,
    headers: responseHeaders(answer.headers),
  });
}

/** What the operating system says of a connection that did not come about; after it, an end is a reset. */
const connectFailures: Record<string, Cut> = {
  ECONNREFUSED: "upstream_refused",
  EHOSTUNREACH: "upstream_refused",
  ENETUNREACH: "upstream_refused",
  ETIMEDOUT: "upstream_timeout",
};

type Side = "client" | "upstream";

/** The state of one transfer: whom we wait for, what has moved, and how it ends, which happens once. */
function startRun({ request, kind, log, limits, ended, clock = systemClock }: Transfer) {
  const abort = new AbortController();
  const started = clock.now();
  const bytes = { sent: 0, received: 0 };
  let waitingFor: Side = "upstream";
  let over: Cut | "done" | undefined;
  let onCut: (() => void) | undefined;

  const end = (how: Cut | "done", error?: unknown) => {
    if (over) return;
    over = how;
    dog.stop();
    request.signal.removeEventListener("abort", clientLeft);
    const fields = { transfer: how, kind, ...bytes, ms: clock.now() - started };
    if (how === "done") log.debug(fields, "transfer");
    else log.warn({ ...fields, reason: codeOf(error) }, "a transfer ended early");
    // Also after a success: an upload that was answered before it was read to its end stops here.
    abort.abort();
    onCut?.();
    ended?.();
  };
  const clientLeft = () => end("client_abort");
  const late = () => end(waitingFor === "client" ? "client_stall" : "upstream_timeout");
  let dog = watchdog(clock, kind === "download" ? limits.firstByteMs : limits.stallMs, late);
  if (request.signal.aborted) clientLeft();
  else request.signal.addEventListener("abort", clientLeft, { once: true });

  /** One chunk from `side`; undefined when the transfer is over, by this very read too. */
  const read = async (reader: Reader, side: Side) => {
    waitingFor = side;
    try {
      const chunk = await reader.read();
      dog.touch();
      return over ? undefined : chunk;
    } catch (error) {
      end(side === "client" ? "client_abort" : "upstream_reset", error);
      return undefined;
    } finally {
      waitingFor = side === "client" ? "upstream" : "client";
    }
  };

  return {
    signal: abort.signal,

    /** The client's body on its way to the holder. */
    upload(body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
      const reader = body.getReader();
      return new ReadableStream<Uint8Array>(
        {
          async pull(controller) {
            const chunk = await read(reader, "client");
            if (!chunk) return;
            if (chunk.value) {
              bytes.sent += chunk.value.length;
              controller.enqueue(chunk.value);
            } else controller.close();
          },
          cancel: (reason) => reader.cancel(reason),
        },
        { highWaterMark: 0 },
      );
    },

    /** The holder's body on its way to the client. */
    download(answer: Response): ReadableStream<Uint8Array> | null {
      if (!answer.body) {
        end("done");
        return null;
      }
      dog.stop();
      dog = watchdog(clock, limits.stallMs, late);
      waitingFor = "client";
      const reader = answer.body.getReader();
      return new ReadableStream<Uint8Array>(
        {
          start(controller) {
            // Without a reason: the runtime breaks the connection off, and prints what it is given on stderr.
            onCut = () => {
              if (over !== "done") controller.error();
            };
            if (over) onCut();
          },
          async pull(controller) {
            const chunk = await read(reader, "upstream");
            if (!chunk) return;
            if (chunk.value) {
              bytes.received += chunk.value.length;
              controller.enqueue(chunk.value);
            } else {
              controller.close();
              end("done");
            }
          },
          cancel(reason) {
            onCut = undefined;
            end("client_abort");
            return reader.cancel(reason).catch(() => {});
          },
        },
        { highWaterMark: 0 },
      );
    },

    /** No answer came: what the client is told. */
    failed(error: unknown) {
      end(connectFailures[codeOf(error) ?? ""] ?? "upstream_reset", error);
      if (over === "client_abort" || over === "client_stall")
        return coreFault("request.cancelled", {}, { cause: error });
      return agentFault(
        new AgentError({ kind: over === "upstream_timeout" ? "silent" : "refused" }, { cause: error }),
      );
    },

    /** The holder's answer is not a success: its words, bounded, for the client. */
    async refused(answer: Response) {
      const text = answer.headers.has("content-encoding") ? undefined : await beginning(answer.body);
      end("done");
      return agentFault(new AgentError({ kind: "answered", status: answer.status, body: text }));
    },
  };
}

type Reader = { read(): Promise<{ done: boolean; value?: Uint8Array | undefined }> };

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  return "code" in error && typeof error.code === "string" ? error.code : error.name;
}

/** The first 16 KiB of a body as text; what came before it broke off is enough. */
async function beginning(body: ReadableStream<Uint8Array> | null): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of body ?? []) {
      chunks.push(chunk);
      size += chunk.length;
      if (size >= keptBody) break;
    }
  } catch {
    // Its status alone tells enough.
  }
  return new TextDecoder().decode(Buffer.concat(chunks).subarray(0, keptBody));
}
