import { afterAll, describe, expect, test } from "bun:test";
import { refusal } from "#shared/testing/call.ts";
import { type StubAgent, stubAgent } from "../testing/agent.ts";
import { account, serversForTest } from "../testing/servers.ts";

const servers = await serversForTest({ config: { AGENT_CALL_MS: 200 } });
afterAll(() => servers[Symbol.asyncDispose]());

async function opened(agent: StubAgent, change: object = {}) {
  const server = await servers.open({ agent: agent.access, ...change });
  const players = (actor = server.owner) => servers.ask("getPlayers", { id: server.id }, actor);
  return { ...server, players };
}
const steve = {
  online: 1,
  max: 20,
  players: [{ name: "Steve", id: "069a79f4-44e9-4726-a5be-fca90e38aaf5" }],
};

describe("getPlayers", () => {
  test("200: who plays, in the agent's words", async () => {
    await using agent = stubAgent();
    agent.answer("/game/players", () => Response.json(steve));
    const { players } = await opened(agent);
    expect(await players()).toEqual({ ok: true, ...steve });
  });

  test("200: nobody plays a game that does not run, and its agent is not asked", async () => {
    await using agent = stubAgent();
    agent.answer("/game/players", () => Response.json({ error: "No game.", code: "no" }, { status: 503 }));
    Object.assign(agent.says, { state: "idle", ready: false });
    const { players, instanceId } = await opened(agent);
    await servers.deps.live.refresh({ instanceId, agent: agent.access });
    expect(await players()).toEqual({ ok: true, online: 0, max: 0, players: [] });
    expect(agent.calls.get("/game/players")).toBeUndefined();
  });

  test("200: nobody plays on a stopped host", async () => {
    const { id, owner, instanceId } = await servers.open();
    await servers.stopHost(instanceId);
    expect(await servers.ask("getPlayers", { id }, owner)).toMatchObject({ online: 0, players: [] });
  });

  test("503 and 409: what the agent refuses of a running game comes through with its sentence", async () => {
    await using agent = stubAgent();
    const { players } = await opened(agent);
    for (const status of [503, 409]) {
      agent.answer("/game/players", () => Response.json({ error: "Not now.", code: "no" }, { status }));
      expect(await refusal(players())).toMatchObject({
        status,
        code: "upstream.rejected",
        detail: "Not now.",
      });
    }
  });

  test("504 upstream.timeout: the agent is silent; 502 upstream.refused: it is not there", async () => {
    await using agent = stubAgent();
    const { players } = await opened(agent);
    const { promise, resolve } = Promise.withResolvers<Response>();
    agent.answer("/game/players", () => promise);
    expect(await refusal(players())).toMatchObject({
      status: 504,
      code: "upstream.timeout",
      retryable: true,
    });
    resolve(Response.json(steve));
    const gone = await servers.open();
    const asked = servers.ask("getPlayers", { id: gone.id }, gone.owner);
    expect(await refusal(asked)).toMatchObject({ status: 502, code: "upstream.refused", retryable: true });
  });

  test("409 servers.not_a_game and 404 servers.not_found", async () => {
    await using agent = stubAgent();
    const { players } = await opened(agent, { ctype: "dev" });
    expect(await refusal(players())).toMatchObject({ status: 409, code: "servers.not_a_game" });
    expect(await refusal(players(account("acc_stranger")))).toMatchObject({ code: "servers.not_found" });
  });
});
