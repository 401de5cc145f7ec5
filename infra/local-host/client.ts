import type { z } from "zod";
import {
  Container,
  ContainerList,
  type CreateContainer,
  Deleted,
  HostHealth,
  HostProblem,
  type StopContainer,
  type UpdateContainer,
} from "./schema.ts";

/**
 * Why a call to the local host did not succeed.
 * - `answered`: the host said no; `status` and `code` say why.
 * - `refused`: nobody listens; the call had no effect.
 * - `silent`: no answer, or one that is not the host's; the call may have taken effect.
 */
export class LocalHostError extends Error {
  override readonly name = "LocalHostError";
  readonly kind: "answered" | "refused" | "silent";
  /** The HTTP status, 0 unless answered. */
  readonly status: number;
  readonly code: string;

  constructor(
    kind: LocalHostError["kind"],
    status: number,
    code: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.kind = kind;
    this.status = status;
    this.code = code;
  }
}

export type LocalHost = {
  health(): Promise<HostHealth>;
  list(): Promise<Container[]>;
  /** `undefined` only when the host itself says that there is no such container. */
  find(vmid: number): Promise<Container | undefined>;
  create(o: CreateContainer): Promise<Container>;
  update(vmid: number, o: UpdateContainer): Promise<Container>;
  /** Resolves when the agent answers its health check; a running container is no error. */
  start(vmid: number): Promise<Container>;
  /** Resolves when every process of the container is gone; a stopped container is no error. */
  stop(vmid: number, o?: StopContainer): Promise<Container>;
  /** Refused with `container.running` while it runs; an unknown vmid is `container.not_found`. */
  remove(vmid: number): Promise<void>;
};

type Call = { method: string; path: string; body?: object; timeoutMs?: number };

/**
 * The typed client of the local host's HTTP API. Every failure is a `LocalHostError`.
 * `timeoutMs` bounds the quick calls (10 s); `slowTimeoutMs` bounds start and delete, and is added to what
 * a stop is given (90 s).
 */
export function localHost(o: {
  url: string;
  token: string;
  timeoutMs?: number;
  slowTimeoutMs?: number;
}): LocalHost {
  const quick = o.timeoutMs ?? 10_000;
  const slow = o.slowTimeoutMs ?? 90_000;
  const base = o.url.replace(/\/+$/, "");

  async function call<S extends z.ZodType>(schema: S, c: Call): Promise<z.infer<S>> {
    const { status, text } = await exchange(base, o.token, { timeoutMs: quick, ...c });
    const json = parseJson(text);
    if (status >= 200 && status < 300) {
      const reply = schema.safeParse(json);
      if (reply.success) return reply.data;
    } else {
      const problem = HostProblem.safeParse(json);
      if (problem.success)
        throw new LocalHostError("answered", status, problem.data.code, problem.data.error);
    }
    throw new LocalHostError(
      "silent",
      0,
      "host.unintelligible",
      `the answer (${status}) is not the local host's`,
    );
  }

  return {
    health: () => call(HostHealth, { method: "GET", path: "/health" }),
    list: async () => (await call(ContainerList, { method: "GET", path: "/containers" })).containers,
    find: (vmid) =>
      call(Container, { method: "GET", path: one(vmid) }).catch((error: unknown) => {
        if (error instanceof LocalHostError && error.code === "container.not_found") return undefined;
        throw error;
      }),
    create: (body) => call(Container, { method: "POST", path: "/containers", body }),
    update: (vmid, body) => call(Container, { method: "PUT", path: one(vmid), body }),
    start: (vmid) => call(Container, { method: "POST", path: `${one(vmid)}/start`, timeoutMs: slow }),
    stop: (vmid, body = {}) =>
      call(Container, {
        method: "POST",
        path: `${one(vmid)}/stop`,
        body,
        timeoutMs: slow + (body.timeoutMs ?? 0),
      }),
    remove: async (vmid) => {
      await call(Deleted, { method: "DELETE", path: one(vmid), timeoutMs: slow });
    },
  };
}

const one = (vmid: number) => `/containers/${vmid}`;

async function exchange(base: string, token: string, c: Call): Promise<{ status: number; text: string }> {
  const timeoutMs = c.timeoutMs ?? 0;
  try {
    const response = await fetch(base + c.path, {
      method: c.method,
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      ...(c.body ? { body: JSON.stringify(c.body) } : {}),
      redirect: "error",
      signal: AbortSignal.timeout(timeoutMs),
    });
    return { status: response.status, text: await response.text() };
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    if (code === "ConnectionRefused" || code === "ECONNREFUSED")
      throw new LocalHostError("refused", 0, "host.unreachable", "the local host is not running", { cause });
    throw new LocalHostError("silent", 0, "host.silent", "the local host did not answer", { cause });
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
