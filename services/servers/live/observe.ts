import { type AgentClient } from "#shared/agent/client.ts";
import { Ready } from "#shared/agent/contract.ts";
import { AgentError } from "#shared/agent/error.ts";
import type { Observation } from "./observation.ts";

export type Questions = Pick<AgentClient, "health" | "ready" | "status" | "version">;

/**
 * One round: health, readiness and status, asked at the same time, and the version where the last answer is old.
 * Never rejects: an agent that does not answer is an observation, too.
 */
export async function observe(
  agent: Questions,
  previous: Observation | undefined,
  o: { now(): number; versionMs: number },
): Promise<Observation> {
  const begunAt = o.now();
  const known = previous?.version;
  const believed = known && previous.present && begunAt - known.at < o.versionMs ? known : undefined;
  const [health, ready, status, version] = await Promise.all([
    attempt(agent.health()),
    attempt(agent.ready()),
    attempt(agent.status()),
    believed ? undefined : attempt(agent.version()),
  ]);
  const endedAt = o.now();
  const said = "value" in ready ? { ...ready.value, refused: false } : saidNo(ready.error);
  const answered = "value" in health || "value" in status || said !== undefined;
  return {
    begunAt,
    endedAt,
    present: "value" in health,
    seenAt: answered ? endedAt : (previous?.seenAt ?? null),
    ready: {
      ready: said?.ready === true && !said.refused,
      reason: said?.reason ?? ("value" in ready ? null : reasonOf(ready.error)),
      answeredAt: said ? endedAt : (previous?.ready.answeredAt ?? null),
    },
    status: "value" in status ? status.value : null,
    error: "value" in status ? null : sentenceOf(status.error),
    version: version && "value" in version ? { name: version.value.version, at: endedAt } : (known ?? null),
    players: said?.players ?? null,
  };
}

type Attempt<T> = { value: T } | { error: AgentError };

async function attempt<T>(call: Promise<T>): Promise<Attempt<T>> {
  try {
    return { value: await call };
  } catch (cause) {
    return { error: cause instanceof AgentError ? cause : new AgentError({ kind: "refused" }, { cause }) };
  }
}

/** A refusal (503) whose body is an answer to the question all the same: it tells the reason, never a yes. */
function saidNo(error: AgentError): (Ready & { refused: true }) | undefined {
  if (error.kind !== "answered" || error.body === undefined) return undefined;
  try {
    return { ...Ready.parse(JSON.parse(error.body)), refused: true };
  } catch {
    return undefined;
  }
}

function sentenceOf({ kind, status, sentence }: AgentError): string {
  if (kind === "refused") return "The agent cannot be reached";
  if (kind === "silent") return "The agent did not answer in time";
  return sentence ?? `The agent gave an answer that is no status (${status ?? "none"})`;
}

function reasonOf(error: AgentError): string {
  if (error.kind !== "answered") return "no_answer";
  return error.status === undefined || error.status < 300 ? "not_an_answer" : `http_${error.status}`;
}
