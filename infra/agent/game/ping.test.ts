import { expect, test } from "bun:test";
import { freePort } from "../testing/agent.ts";
import { pingMinecraft } from "./ping.ts";

const varInt = (n: number) => Buffer.from(n < 128 ? [n] : [(n & 127) | 128, n >> 7]);
const status = (value: unknown) => {
  const text = Buffer.from(typeof value === "string" ? value : JSON.stringify(value));
  const body = Buffer.concat([Buffer.from([0]), varInt(text.length), text]);
  return Buffer.concat([varInt(body.length), body]);
};
const good = {
  version: { name: "1.21.4" },
  players: { online: 1, max: 5, sample: [{ name: "a", id: "b" }] },
};

/** A peer that answers the first bytes with these chunks. */
async function peer(chunks: Buffer[], use: (port: number) => Promise<void>): Promise<void> {
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket) {
        for (const chunk of chunks.splice(0)) {
          socket.write(chunk);
          socket.flush();
        }
      },
    },
  });
  await use(listener.port);
  listener.stop(true);
}

test("reads the answer, in one piece or in several", async () => {
  const answer = status(good);
  const expected = { online: 1, max: 5, players: [{ name: "a", id: "b" }] };
  await peer([answer], async (port) => {
    expect(await pingMinecraft("127.0.0.1", port, 1000)).toMatchObject(expected);
  });
  await peer([answer.subarray(0, 1), answer.subarray(1, 9), answer.subarray(9)], async (port) => {
    expect(await pingMinecraft("127.0.0.1", port, 1000)).toMatchObject(expected);
  });
});

test.each([
  ["HTTP", Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n")],
  ["no JSON", status("hello")],
  ["JSON of something else", status({ players: "many" })],
  ["only zeros", Buffer.alloc(300_000)],
])("a peer that speaks %s is no game", async (_name, bytes) => {
  await peer([bytes], async (port) => {
    expect(await pingMinecraft("127.0.0.1", port, 100)).toBeUndefined();
  });
});

test("nobody there, and nobody answering, is no game", async () => {
  expect(await pingMinecraft("127.0.0.1", await freePort(), 1000)).toBeUndefined();
  await peer([], async (port) => {
    expect(await pingMinecraft("127.0.0.1", port, 50)).toBeUndefined();
  });
});
