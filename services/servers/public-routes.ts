import { z } from "zod";
import { Operation } from "#shared/contract/operation.ts";
import { PlayerList, ServerId, ServerRow, ServerStatus } from "./schemas.ts";

// What the clients of the gateway may ask.

const byId = z.object({ id: ServerId });
const operationById = z.object({ operationId: z.string().regex(/^[a-z]{3}_[0-9a-z]{10,40}$/) });
const example = { id: "5000" };

const safe = {
  auth: "session",
  guard: "none",
  scope: "servers:read",
  idempotency: "safe",
  timeoutMs: 3_000,
} as const;
const notAGame = { not_a_game: { status: 409, title: "This is not a game server" } } as const;
const hostStopped = {
  host_stopped: { status: 409, title: "The server itself is stopped; start it before its game" },
} as const;

const gamePower = (action: "start" | "stop" | "restart") =>
  ({
    http: {
      method: "POST",
      path: `/api/servers/:id/game/${action}`,
      success: 202,
      kind: "json",
    },
    policy: {
      auth: "session",
      guard: "none",
      scope: "servers:power",
      server: `power.${action}`,
      agent: true,
      idempotency: "natural",
      timeoutMs: 12_000,
    },
    request: byId,
    reply: z.object({ ok: z.literal(true), operation: Operation }),
    example,
  }) as const;

export const publicRoutes = {
  listServers: {
    subject: "rpc.servers.v1.server.list",
    summary: "The account's servers, as last observed",
    http: { method: "GET", path: "/api/servers", success: 200, kind: "json" },
    policy: safe,
    request: z.object({}),
    reply: z.object({ servers: z.array(ServerRow) }),
    errors: {},
    example: {},
  },
  listInstances: {
    subject: "rpc.servers.v1.instance.list",
    summary: "The account's servers, in the shape that older clients read",
    http: { method: "GET", path: "/api/instances", success: 200, kind: "json" },
    policy: safe,
    request: z.object({}),
    reply: z.object({ ok: z.literal(true), rows: z.array(ServerRow) }),
    errors: {},
    example: {},
  },
  getServer: {
    subject: "rpc.servers.v1.server.get",
    summary: "One server, as last observed",
    http: { method: "GET", path: "/api/servers/:id", success: 200, kind: "json" },
    policy: { ...safe, server: "server.read" },
    request: byId,
    reply: ServerRow,
    errors: {},
    example,
  },
  getStatus: {
    subject: "rpc.servers.v1.server.status",
    summary: "The merged live status of one server",
    http: { method: "GET", path: "/api/servers/:id/status", success: 200, kind: "json" },
    policy: { ...safe, server: "server.read", agent: true },
    request: byId,
    reply: ServerStatus,
    errors: {},
    example,
  },
  getPlayers: {
    subject: "rpc.servers.v1.game.players",
    summary: "Who plays on a server at the moment; nobody while its game does not run",
    http: {
      method: "GET",
      path: "/api/servers/:id/players",
      success: 200,
      kind: "json",
      aliases: [
        {
          method: "GET",
          path: "/api/game/servers/:id/players",
          since: "2026-01-01",
          reason: "address of the first Portal",
        },
      ],
    },
    policy: { ...safe, server: "server.read", agent: true },
    request: byId,
    reply: PlayerList,
    errors: notAGame,
    example,
  },
  startGame: {
    subject: "rpc.servers.v1.game.start",
    summary: "Start the game",
    ...gamePower("start"),
    errors: { ...notAGame, ...hostStopped },
  },
  stopGame: {
    subject: "rpc.servers.v1.game.stop",
    summary: "Stop the game",
    ...gamePower("stop"),
    errors: notAGame,
  },
  restartGame: {
    subject: "rpc.servers.v1.game.restart",
    summary: "Restart the game",
    ...gamePower("restart"),
    errors: { ...notAGame, ...hostStopped },
  },
  getOperation: {
    subject: "rpc.servers.v1.operation.get",
    summary: "One operation of the account, also after its server is gone",
    http: {
      method: "GET",
      path: "/api/operations/:operationId",
      success: 200,
      kind: "json",
      when: { param: "operationId", prefix: "srv_" },
    },
    policy: safe,
    request: operationById,
    reply: Operation,
    errors: { operation_not_found: { status: 404, title: "There is no such operation" } },
    example: { operationId: "srv_00000000000000000000000000" },
  },
} as const;
