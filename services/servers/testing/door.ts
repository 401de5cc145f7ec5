/** A way to a TCP server that can be shut: then connections through it break, and new ones are refused. */
export type Door = { url: string; shut(): void; open(): void; [Symbol.dispose](): void };

type Side = { peer: Bun.Socket | undefined; early: Buffer[] };

/** `url` names the server; the door's own `url` is the same but for host and port. */
export function doorTo(url: string): Door {
  const target = new URL(url);
  const inside = new Set<Bun.Socket<Side>>();
  const listen = (port: number) =>
    Bun.listen<Side>({
      hostname: "127.0.0.1",
      port,
      socket: {
        async open(client) {
          inside.add(client);
          client.data = { peer: undefined, early: [] };
          const peer = await Bun.connect({
            hostname: target.hostname,
            port: Number(target.port),
            socket: {
              data: (_, bytes) => void client.write(bytes),
              close: () => void client.end(),
            },
          });
          client.data.peer = peer;
          for (const bytes of client.data.early) peer.write(bytes);
        },
        data(client, bytes) {
          if (client.data.peer) client.data.peer.write(bytes);
          else client.data.early.push(Buffer.from(bytes));
        },
        close(client) {
          inside.delete(client);
          client.data.peer?.end();
        },
      },
    });
  let listener = listen(0);
  const { port } = listener;
  const through = new URL(url);
  through.hostname = "127.0.0.1";
  through.port = String(port);
  const shut = () => {
    listener.stop(true);
    for (const client of inside) client.terminate();
  };
  return {
    url: through.href,
    shut,
    open: () => void (listener = listen(port)),
    [Symbol.dispose]: shut,
  };
}
