import type { z } from "zod";
import { Accepted, type AgentConfigInput, AgentStatus, Health, Players, Ready, Version } from "./contract.ts";
import { AgentError } from "./error.ts";

/** Bytes of an answer that are read; more is an answer we cannot use. */
const bodyLimit = 64 * 1024;

export type AgentClientOptions = {
  /** `http://host:port` */
  address: string;
  token: string;
  /** Bound of one call in milliseconds, the body included. */
  timeoutMs?: number;
};

/** The agent of one server. Every call rejects with `AgentError` and with nothing else; nothing is retried. */
export function agentClient(options: AgentClientOptions) {
  const get = <S extends z.ZodType>(path: string, schema: S) => call(options, "GET", path, schema);
  const post = (path: string, body?: unknown) => call(options, "POST", path, Accepted, body);
  return {
    health: () => get("/health", Health),
    ready: () => get("/ready", Ready),
    status: () => get("/status", AgentStatus),
    version: () => get("/version", Version),
    players: () => get("/game/players", Players),
    config: (config: AgentConfigInput) => post("/config", config),
    start: () => post("/start"),
    stop: () => post("/stop"),
    restart: () => post("/restart"),
    command: (command: string) => post("/console/command", { command }),
  };
}
export type AgentClient = ReturnType<typeof agentClient>;

async function call<S extends z.ZodType>(
  options: AgentClientOptions,
  method: string,
  path: string,
  schema: S,
  body?: unknown,
): Promise<z.infer<S>> {
  // A timer of our own: one that AbortSignal.timeout holds would outlive the call it bounds.
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), options.timeoutMs ?? 5000);
  try {
    const response = await fetch(options.address + path, {
      method,
      headers: {
        authorization: `Bearer ${options.token}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      // An answer that points elsewhere would carry the token there.
      redirect: "manual",
      keepalive: false,
      signal: abort.signal,
    });
    return read(schema, response.status, await boundedText(response));
  } catch (error) {
    if (error instanceof AgentError) throw error;
    throw new AgentError({ kind: abort.signal.aborted ? "silent" : "refused" }, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

function read<S extends z.ZodType>(schema: S, status: number, body: string): z.infer<S> {
  if (status < 200 || status > 299) throw new AgentError({ kind: "answered", status, body });
  try {
    return schema.parse(JSON.parse(body));
  } catch (cause) {
    throw new AgentError({ kind: "answered", status, body }, { cause });
  }
}

async function boundedText(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    text += decoder.decode(chunk, { stream: true });
    if (bytes > bodyLimit) throw new AgentError({ kind: "answered", status: response.status, body: text });
  }
  return text + decoder.decode();
}
