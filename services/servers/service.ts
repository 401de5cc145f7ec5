import type { AgentClient } from "#shared/agent/client.ts";
import type { Client } from "#shared/bus/client.ts";
import type { AgentAccess } from "#shared/contract/authority.ts";
import { implement } from "#shared/contract/implement.ts";
import type { Db } from "#shared/db/connect.ts";
import type { Clock } from "#shared/process/clock.ts";
import type { Logger } from "#shared/telemetry/log.ts";
import type { billing } from "#services/billing/contract.ts";
import type { Config } from "./config.ts";
import { servers } from "./contract.ts";
import type { OperatorNotes } from "./audit.ts";
import type { Asked, Live } from "./live/live.ts";
import type { Records } from "./live/records.ts";
import { activate } from "./verbs/activate.ts";
import { archive } from "./verbs/archive.ts";
import { authorize } from "./verbs/authorize.ts";
import { authorizeAgent } from "./verbs/authorize-agent.ts";
import { findInstance } from "./verbs/find-instance.ts";
import { getOperation } from "./verbs/get-operation.ts";
import { getPlayers } from "./verbs/get-players.ts";
import { getServer } from "./verbs/get-server.ts";
import { getStatus } from "./verbs/get-status.ts";
import { heartbeat } from "./verbs/heartbeat.ts";
import { listInstances } from "./verbs/list-instances.ts";
import { listInventory } from "./verbs/list-inventory.ts";
import { listServers } from "./verbs/list-servers.ts";
import { mergePayload } from "./verbs/merge-payload.ts";
import { release } from "./verbs/release.ts";
import { reserve } from "./verbs/reserve.ts";
import { restartGame } from "./verbs/restart-game.ts";
import { setAddress } from "./verbs/set-address.ts";
import { setHostDesired } from "./verbs/set-host-desired.ts";
import { startGame } from "./verbs/start-game.ts";
import { stopGame } from "./verbs/stop-game.ts";
import { unlock } from "./verbs/unlock.ts";

export type Deps = {
  db: Db;
  clock: Clock;
  log: Logger;
  config: Config;
  /** What was observed last of every server. */
  live: Live;
  /** The rows of servers that were asked for just now. */
  records: Records;
  /** What the audit log is told of operators. */
  notes: OperatorNotes;
  billing: Pick<Client<(typeof billing)["routes"]>, "getAccount">;
  /** The agent of one server; `timeoutMs` bounds each call. */
  agent: (access: AgentAccess, timeoutMs: number) => AgentClient;
  /** Wakes the reconciler for one server. */
  reconcile: (instanceId: string) => void;
  /** Asks the agent of one server now, without waiting for its answer. */
  look: (server: Asked) => void;
};

export const serversService = implement(servers)((deps: Deps) => ({
  listServers: listServers(deps),
  listInstances: listInstances(deps),
  getServer: getServer(deps),
  getStatus: getStatus(deps),
  getPlayers: getPlayers(deps),
  startGame: startGame(deps),
  stopGame: stopGame(deps),
  restartGame: restartGame(deps),
  getOperation: getOperation(deps),
  authorize: authorize(deps),
  authorizeAgent: authorizeAgent(deps),
  unlock: unlock(deps),
  heartbeat: heartbeat(deps),
  setHostDesired: setHostDesired(deps),
  setAddress: setAddress(deps),
  reserve: reserve(deps),
  activate: activate(deps),
  archive: archive(deps),
  release: release(deps),
  mergePayload: mergePayload(deps),
  findInstance: findInstance(deps),
  listInventory: listInventory(deps),
}));
