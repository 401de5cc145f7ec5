import { ConsoleCommand } from "#shared/agent/contract.ts";
import type { ConsoleHub, Viewer } from "../console/hub.ts";
import type { Control } from "../control.ts";
import { readJson, Refusal } from "../http/reply.ts";
import type { Routes } from "../http/server.ts";
import type { AgentSocket, SocketData } from "../http/sockets.ts";

/** Bytes of one message of input: the terminal's own buffer has no bound. */
const inputLimit = 4096;

const codes = { absent: "workload.not_running", full: "console.input_full" };
const sentences = {
  absent: "The server is not running.",
  full: "The server does not read its input; this was not sent.",
};

/**
 * The console. On the stream, text frames go both ways: first the scrollback and then output as it comes, and
 * keystrokes as a terminal would send them.
 */
export function consoleRoutes(control: Control, hub: ConsoleHub): Routes {
  return {
    "/console/command": {
      async POST({ request }) {
        const { command } = await readJson(request, ConsoleCommand);
        const typed = control.workload()?.input(`${command}\n`) ?? "absent";
        if (typed !== "taken") throw new Refusal(503, codes[typed], sentences[typed]);
        return Response.json({ ok: true });
      },
    },
    "/console/stream": {
      GET({ request, server }) {
        if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
          throw new Refusal(426, "console.upgrade_required", "The console stream is a WebSocket.");
        }
        if (!control.status().configured) {
          throw new Refusal(503, "config.missing", "The server is not configured yet.");
        }
        if (server.upgrade(request, { data: viewerOf(control, hub) })) return undefined;
        throw new Refusal(400, "request.invalid", "The WebSocket handshake is not valid.");
      },
    },
  };
}

function viewerOf(control: Control, hub: ConsoleHub): SocketData {
  let viewer: Viewer | undefined;
  return {
    open(socket) {
      viewer = { send: (text) => void socket.send(text), buffered: () => socket.getBufferedAmount() };
      if (!hub.add(viewer)) return socket.close(1013, "too many viewers");
      control.workload()?.attach();
    },
    message: (socket, message) => receive(control, socket, message),
    drain: () => viewer && hub.drained(viewer),
    close: () => viewer && hub.remove(viewer),
  };
}

function receive(control: Control, socket: AgentSocket, message: string | Buffer): void {
  if (Buffer.byteLength(message) > inputLimit) {
    return socket.close(1009, `a message is at most ${inputLimit} bytes`);
  }
  const typed = control.workload()?.input(message.toString()) ?? "absent";
  if (typed !== "taken") socket.send(`[agent] ${sentences[typed]}\r\n`);
}
