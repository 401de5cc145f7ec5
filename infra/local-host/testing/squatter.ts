import { argv, stdout } from "node:process";

// A workload that wants the port of somebody's agent, its last argument. Prints whether the port was open to it.
try {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: Number(argv.at(-1)),
    reusePort: true,
    fetch: () => new Response(),
  });
  await server.stop(true);
  stdout.write("open");
} catch {
  stdout.write("closed");
}
