import type { AgentConfigInput, AgentStatus, Ready } from "#shared/agent/contract.ts";
import { AgentError, agentFault } from "#shared/agent/error.ts";
import { withTx } from "#shared/db/tx.ts";
import { Fault } from "#shared/fault/fault.ts";
import { nothingToUndo } from "#shared/saga/saga.ts";
import type { HostAddress } from "../../adapters/host-driver.ts";
import { readAgentToken } from "../../store.ts";
import type { Creation, CreationContext, CreationStep } from "../creation.ts";
import { known, waitFor } from "../deps.ts";
import { ask } from "../host-calls.ts";

type Agent = ReturnType<CreationContext["deps"]["agent"]>;

export const agentUrl = ({ ip, agentPort }: HostAddress): string => `http://${ip}:${agentPort}`;

/** Tells the agent what to install and to start it; an agent that was told before is left to its work. */
export const sendAgentConfig: CreationStep = {
  name: "send-agent-config",
  title: "Ordering the installation",
  async do(c) {
    const address = known(c, "address");
    const agent = (await agents(c))(address);
    try {
      await advance(c, agent, address, await agent.status());
    } catch (error) {
      throw stepFault(error);
    }
  },
  undo: nothingToUndo,
};

/** Waits for the agent's own answer that a player could join; it alone counts. */
export const waitReady: CreationStep = {
  name: "wait-ready",
  title: "Installing and starting the game",
  async do(c) {
    const { settings } = c.deps;
    const agentAt = await agents(c);
    let address = known(c, "address");
    let said = "";
    let last: unknown;
    const probe = async () => {
      try {
        const agent = agentAt(address);
        const ready = await agent.ready();
        if (ready.ready) return ready;
        const status = await agent.status();
        refuseFailure(status);
        await advance(c, agent, address, status);
        said = await tell(c, said, ready, status);
        last = undefined;
      } catch (error) {
        if (!(error instanceof AgentError)) throw error;
        if (!stepFault(error).retryable) throw stepFault(error);
        last = error;
        // A host that was restarted may have moved the container.
        address = (await ask(c.deps.driver.address(known(c, "vmid")))) ?? address;
      }
      return undefined;
    };
    await waitFor(c, settings.readyMs, probe, () => notReady(settings.readyMs, said, last));
    return { address };
  },
  undo: nothingToUndo,
};

/** The agent of this creation at any address, by the secret that it was given. */
async function agents(c: CreationContext): Promise<(address: HostAddress) => Agent> {
  const token = await withTx(c.deps.db, (tx) => readAgentToken(tx, c.operationId));
  return (address) => c.deps.agent({ address: agentUrl(address), token });
}

/**
 * The next thing that an agent has to be told. It forgets nothing when it is restarted, but goes on with nothing by
 * itself either: then an unfinished installation is ordered again, and a finished one is started.
 */
async function advance(
  c: CreationContext,
  agent: Agent,
  address: HostAddress,
  status: AgentStatus,
): Promise<void> {
  if (status.operation || status.state !== "idle") return;
  if (status.configured && status.installed) return void (await agent.start());
  await agent.config(agentConfig(c.state, known(c, "vmid"), address));
}

function agentConfig(
  { engine, memoryMiB }: Creation,
  vmid: number,
  { gamePort, idePort }: HostAddress,
): AgentConfigInput {
  const common = { vmid, memory_mb: memoryMiB, auto_start: true };
  if (engine.ctype === "dev") {
    const { runtime, version } = engine;
    return { ...common, container_type: "dev", runtime, version, ide_port: idePort };
  }
  const { game, variant, version } = engine;
  return { ...common, container_type: "game", game, variant, version, game_port: gamePort };
}

/** An agent that says "error" will not become ready by waiting; its own sentence is the reason. */
function refuseFailure(status: AgentStatus): void {
  if (status.state !== "error") return;
  const { error, crash } = status;
  const sentence = crash ? `The game crashed ${crash.count} times (${crash.class})` : undefined;
  const log = crash ? { logTail: crash.log_tail.slice(-4_096), exitCode: crash.exit_code } : {};
  throw new Fault({
    code: "provisioning.agent_failed",
    status: 502,
    title: "The server could not be installed or started",
    detail: error?.message ?? sentence,
    details: { upstream: { service: "agent", status: 200, body: { error, ...log } } },
  });
}

/** Passes on what the agent is doing, when it is something new. */
async function tell(c: CreationContext, said: string, ready: Ready, status: AgentStatus): Promise<string> {
  const what = c.state.engine.ctype === "game" ? "game" : "workspace";
  const sentence = status.install_step
    ? `Installing: ${status.install_step}`
    : `The ${what} is ${status.state}`;
  const text = ready.reason === "no_answer" ? `The ${what} does not answer yet` : sentence;
  if (text !== said) await c.progress(text);
  return text;
}

function notReady(limitMs: number, said: string, last: unknown): Fault {
  const detail = `The server was not ready after ${limitMs / 1000} s. ${said}`.trim();
  const title = "The server did not become ready";
  return new Fault({ code: "provisioning.not_ready", status: 504, title, detail }, { cause: last });
}

/** Of a call to an agent; "busy" passes as soon as what it does is done. */
function stepFault(error: unknown): Fault {
  if (!(error instanceof AgentError)) throw error;
  const fault = agentFault(error);
  if (fault.retryable || error.status !== 409) return fault;
  const { code, status, title, detail, details } = fault;
  return new Fault({ code, status, title, detail, details, retryable: true }, { cause: error });
}
