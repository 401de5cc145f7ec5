import { AgentConfig, type AgentState } from "#shared/agent/contract.ts";

export type AgentBehaviour = {
  /** Answers of /ready that an installation takes. */
  installPolls: number;
  /** The sentence with which every installation fails. */
  installError?: string;
  /** The installation ends and nothing starts, as after a restart of the agent in between. */
  forgetsStart?: boolean;
  /** Its process lives and says that it is not well. */
  ailing?: boolean;
};

export type StandInAgent = { state: AgentState; configs: AgentConfig[]; polls: number; error?: string };

/** An agent whose container was started: what it was told is kept, and nothing goes on by itself. */
export function restarted({ configs }: StandInAgent): StandInAgent {
  return { state: isDev(configs) ? "running" : "idle", configs, polls: 0 };
}

const isDev = (configs: readonly AgentConfig[]) => configs.at(-1)?.container_type === "dev";

/** The one answer that needs no secret. */
export const agentHealth = ({ ailing = false }: AgentBehaviour) => Response.json({ ok: !ailing });

/** The part of the agent's contract that a creation uses. */
export function agentAnswer(
  agent: StandInAgent,
  behaviour: AgentBehaviour,
  name: string,
  body: unknown,
): Response {
  if (name === "GET /status") return Response.json(status(agent));
  if (name === "GET /ready") {
    if (agent.state === "installing" && ++agent.polls >= behaviour.installPolls) settle(agent, behaviour);
    return Response.json({ ready: agent.state === "running", reason: agent.state });
  }
  if (name === "POST /config") {
    agent.configs.push(AgentConfig.parse(body));
    // A workspace needs no installation.
    agent.state = isDev(agent.configs) && behaviour.installError === undefined ? "running" : "installing";
    return Response.json({ ok: true, state: agent.state }, { status: 202 });
  }
  if (name === "POST /start" && agent.state === "idle" && agent.configs.length > 0) {
    agent.state = "running";
    return Response.json({ ok: true, state: agent.state }, { status: 202 });
  }
  return Response.json(
    { error: "The server is not ready for this.", code: "config.missing" },
    { status: 503 },
  );
}

function settle(agent: StandInAgent, { installError, forgetsStart }: AgentBehaviour): void {
  if (installError !== undefined) {
    agent.error = installError;
    agent.state = "error";
  } else agent.state = forgetsStart ? "idle" : "running";
}

function status({ state, configs, error }: StandInAgent) {
  const installed = configs.length > 0 && state !== "installing" && state !== "error";
  return {
    state,
    configured: configs.length > 0,
    installed,
    install_step: state === "installing" ? "download" : null,
    operation: state === "installing" ? { type: "install", started_at: "2030-01-01T00:00:00.000Z" } : null,
    error: error === undefined ? null : { code: "install.failed", message: error },
  };
}
