import { z } from "zod";
import type { ServerList } from "../workload/program.ts";

/** Bytes of an answer that are read: text, and a picture of 64 x 64 points. */
const answerLimit = 256 * 1024;

const Answer = z.object({
  version: z.object({ name: z.string() }),
  players: z.object({
    online: z.number().int().nonnegative(),
    max: z.number().int(),
    sample: z.array(z.object({ name: z.string(), id: z.string() })).nullish(),
  }),
});

/**
 * Minecraft's server-list ping (Java edition, since 1.7): handshake, status request, one JSON answer. Resolves
 * undefined when there is no connection, no answer within `timeoutMs`, or one that is no game's.
 */
export async function pingMinecraft(
  host: string,
  port: number,
  timeoutMs: number,
): Promise<ServerList | undefined> {
  const begun = performance.now();
  const text = await exchange(host, port, timeoutMs);
  if (text === undefined) return undefined;
  try {
    const { players } = Answer.parse(JSON.parse(text));
    const max = Math.max(0, players.max);
    return {
      online: players.online,
      max,
      players: players.sample ?? [],
      latencyMs: performance.now() - begun,
    };
  } catch {
    return undefined;
  }
}

async function exchange(host: string, port: number, timeoutMs: number): Promise<string | undefined> {
  const answered = Promise.withResolvers<string | undefined>();
  const give = answered.resolve;
  const timer = setTimeout(() => give(undefined), timeoutMs);
  let received = Buffer.alloc(0);
  const connecting = Bun.connect({
    hostname: host,
    port,
    socket: {
      open: (socket) => void socket.write(statusRequest(host, port)),
      data(_socket, chunk) {
        received = Buffer.concat([received, chunk]);
        const text = readStatus(received);
        if (text !== undefined) give(text);
        else if (received.length > answerLimit) give(undefined);
      },
      close: () => give(undefined),
      error: () => give(undefined),
      connectError: () => give(undefined),
    },
  });
  const connected = connecting.catch(() => give(undefined));
  try {
    return await answered.promise;
  } finally {
    clearTimeout(timer);
    // Also when the connection is made only after the time is over.
    void connected.then((socket) => socket?.terminate());
  }
}

/** Handshake with next state 1 (status) and the empty status request. */
function statusRequest(host: string, port: number): Buffer {
  const name = Buffer.from(host);
  const portBytes = Buffer.from([port >> 8, port & 0xff]);
  // Protocol version -1: "I only ask".
  const handshake = [varInt(0), varInt(-1), varInt(name.length), name, portBytes, varInt(1)];
  return Buffer.concat([packet(Buffer.concat(handshake)), packet(varInt(0))]);
}

/** The answer's JSON text, or undefined while it is not complete. Throws nothing: a wrong packet is an empty text. */
function readStatus(bytes: Buffer): string | undefined {
  const length = readVarInt(bytes, 0);
  if (!length || bytes.length < length.end + length.value) return undefined;
  const id = readVarInt(bytes, length.end);
  const size = id && readVarInt(bytes, id.end);
  if (!id || !size || id.value !== 0) return "";
  return bytes.subarray(size.end, size.end + size.value).toString("utf8");
}

function packet(body: Buffer): Buffer {
  return Buffer.concat([varInt(body.length), body]);
}

function varInt(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value >>> 0;
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  return Buffer.from([...bytes, rest]);
}

function readVarInt(bytes: Buffer, from: number): { value: number; end: number } | undefined {
  let value = 0;
  for (let i = 0; i < 5; i++) {
    const byte = bytes[from + i];
    if (byte === undefined) return undefined;
    value |= (byte & 0x7f) << (7 * i);
    if (byte < 0x80) return { value: value >>> 0, end: from + i + 1 };
  }
  return undefined;
}
