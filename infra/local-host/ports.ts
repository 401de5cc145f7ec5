import { createServer } from "node:net";
import { HostError } from "./problem.ts";

export type PortRange = { from: number; to: number };

/** Whether 127.0.0.1:`port` can be bound now. */
export function isFree(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const server = createServer();
  server.once("error", () => resolve(false));
  server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => resolve(true)));
  return promise;
}

/**
 * `count` ports of the range that nobody listens on and that are not in `held`.
 * The range lies below the kernel's ephemeral ports, so that an outgoing connection never takes a container's
 * port; the search begins anywhere in it, so that two hosts on one machine seldom meet.
 */
export async function chooseFreePorts(
  count: number,
  range: PortRange,
  held: ReadonlySet<number>,
): Promise<number[]> {
  const size = range.to - range.from + 1;
  const first = Math.floor(Math.random() * size);
  const chosen: number[] = [];
  for (let i = 0; i < size && chosen.length < count; i++) {
    const port = range.from + ((first + i) % size);
    if (!held.has(port) && (await isFree(port))) chosen.push(port);
  }
  if (chosen.length < count)
    throw new HostError("host.no_port", `no free port between ${range.from} and ${range.to}`);
  return chosen;
}
