/** What a WebSocket of the agent does; each route that upgrades brings its own. */
export type SocketData = {
  open(socket: AgentSocket): void;
  message(socket: AgentSocket, message: string | Buffer): void;
  drain(): void;
  close(): void;
};
export type AgentSocket = Bun.ServerWebSocket<SocketData>;

/** The one handler that Bun allows per server: it passes every event to the socket's own data. */
export const sockets: Bun.WebSocketHandler<SocketData> = {
  maxPayloadLength: 64 * 1024,
  perMessageDeflate: false,
  open: (socket) => socket.data.open(socket),
  message: (socket, message) => socket.data.message(socket, message),
  drain: (socket) => socket.data.drain(),
  close: (socket) => socket.data.close(),
};
