import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { agentForTest, testToken } from "../testing/agent.ts";
import { rejectionOf } from "../testing/rejection.ts";
import { until } from "../testing/until.ts";

const devConfig = { vmid: 6001, container_type: "dev", runtime: "node", memory_mb: 512 } as const;

async function devAgent() {
  const agent = agentForTest();
  await agent.client.config(devConfig);
  await agent.state("running");
  return agent;
}

/** A viewer of the console, as the gateway opens one. */
function view(address: string) {
  const socket = new WebSocket(`${address.replace("http", "ws")}/console/stream`, {
    headers: { authorization: `Bearer ${testToken}` },
  });
  const viewer = { text: "", length: 0, closed: undefined as number | undefined };
  socket.addEventListener("message", (event) => {
    const text = String(event.data);
    viewer.length += text.length;
    // Enough to look for a word in; some tests send megabytes.
    viewer.text = (viewer.text + text).slice(-20_000);
  });
  socket.addEventListener("close", (event) => {
    viewer.closed = event.code;
  });
  return {
    socket,
    viewer,
    shows: (text: string) => until(`console shows ${text}`, () => viewer.text.includes(text)),
    open: () => until("open", () => socket.readyState === WebSocket.OPEN),
    // Bun's own, not in the types of the standard: stops reading from the connection.
    pause: () => Reflect.apply(Reflect.get(socket, "pause"), socket, []),
    resume: () => Reflect.apply(Reflect.get(socket, "resume"), socket, []),
  };
}

test("many viewers share one terminal, and a late one gets what it missed", async () => {
  await using t = await devAgent();
  const one = view(t.address);
  await one.open();
  one.socket.send("tty; echo shared-$((40 + 2))\r");
  await one.shows("shared-42");
  await one.shows("/dev/pts/");
  const two = view(t.address);
  await two.shows("shared-42");
  await t.client.command("echo typed-$((1 + 1))");
  await Promise.all([one.shows("typed-2"), two.shows("typed-2")]);
});

test("the shell's directory is the workspace, and its environment has nothing of the agent's", async () => {
  await using t = await devAgent();
  const one = view(t.address);
  await one.open();
  one.socket.send("pwd; env | grep -c AGENT; echo end-$((1 + 1))\r");
  await one.shows("end-2");
  expect(one.viewer.text).toContain(`${t.root}/workspace`);
  expect(one.viewer.text).toContain("\r\n0\r\n");
});

test("a shell that has ended is followed by a new one at the next key", async () => {
  await using t = await devAgent();
  const one = view(t.address);
  await one.open();
  one.socket.send("exit\r");
  await one.shows("opens a new one");
  one.socket.send("echo again-$((1 + 1))\r");
  await one.shows("again-2");
});

test("a message that is too long closes the viewer that sent it, and nobody else", async () => {
  await using t = await devAgent();
  const [one, two] = [view(t.address), view(t.address)];
  await Promise.all([one.open(), two.open()]);
  one.socket.send("x".repeat(4097));
  await until("closed", () => one.viewer.closed);
  expect(one.viewer.closed).toBe(1009);
  two.socket.send("echo still-$((1 + 1))\r");
  await two.shows("still-2");
});

test("a viewer that does not read misses output; the program and the others go on", async () => {
  await using t = await devAgent();
  const [slow, quick] = [view(t.address), view(t.address)];
  await Promise.all([slow.open(), quick.open()]);
  slow.pause();
  quick.socket.send("head -c 30000000 /dev/zero | tr '\\0' x; echo > ended\r");
  // Looked for on disk: on a busy machine the quick viewer, too, may miss what a screen would have shown.
  await until("the program's end", () => existsSync(join(t.root, "workspace/ended")), 60_000);
  slow.resume();
  await slow.shows("output was skipped");
  quick.socket.send("echo both-$((1 + 1))\r");
  await Promise.all([slow.shows("both-2"), quick.shows("both-2")]);
  expect(slow.viewer.length).toBeLessThan(30_000_000);
});

test("input that the program leaves unread is refused at a bound", async () => {
  await using t = await devAgent();
  await t.client.command("stty -echo; exec sleep 60");
  const long = `echo ${"x".repeat(1000)}`;
  const refused = await until("a refusal", () =>
    t.client.command(long).then(
      () => undefined,
      (error: unknown) => error,
    ),
  );
  expect(refused).toMatchObject({ status: 503, body: expect.stringContaining("console.input_full") });
});

test("the viewers are let go when the agent stops", async () => {
  const t = await devAgent();
  const one = view(t.address);
  await one.open();
  await t[Symbol.asyncDispose]();
  await until("closed", () => one.viewer.closed);
  expect(one.viewer.closed).toBe(1001);
});

test("a container stays of the kind it was configured as", async () => {
  await using t = await devAgent();
  const game = { ...devConfig, container_type: "game", game: "minecraft", variant: "flying-squid" } as const;
  const changed = t.client.config({ ...game, version: "1.21.4", game_port: 25_565 });
  expect(await rejectionOf(changed)).toMatchObject({ status: 409 });
});
