import { createServer } from "node:net";

// Below what the kernel gives to outgoing connections (from 32768): a daemon that died must get its port back, which
// everybody knows, and its own clients, which try to reach it meanwhile, could be given it. Below the agents' range, too.
const range = { from: 12_000, to: 19_999 };

/** A port of 127.0.0.1 that nobody listens on and that no outgoing connection takes. */
export async function quietPort(): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const port = range.from + Math.floor(Math.random() * (range.to - range.from + 1));
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port between ${range.from} and ${range.to}`);
}

/** Whether 127.0.0.1:`port` can be listened on now. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen({ port, host: "127.0.0.1", exclusive: true }, () => probe.close(() => resolve(true)));
  });
}
