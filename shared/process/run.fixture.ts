import { z } from "zod";
import { sample, sampleAuthority, sampleService } from "#shared/testing/sample.ts";
import { runService } from "./run.ts";

// A whole service process for run.test.ts: the sample service, and ways to die.

const quiet = { ...sample, calls: [], consumes: [] };

await runService({
  contract: quiet,
  config: z.object({ FIXTURE: z.enum(["serve", "tell", "reject", "warn", "throw", "unreacted"]) }),
  migrations: new URL("./run.fixture.migrations", import.meta.url).pathname,
  start({ config, log, bus }) {
    if (config.FIXTURE === "throw") throw new Error("could not start");
    const soon = (act: () => void) => void bus.nc.flush().then(() => setTimeout(act, 20));
    if (config.FIXTURE === "reject") soon(() => void Promise.reject(new Error("nobody caught me")));
    if (config.FIXTURE === "warn") soon(() => process.emitWarning("too many listeners"));
    const service = sampleService({});
    const echo: typeof service.handlers.echo = async (call) => {
      if (config.FIXTURE === "tell") log.info({}, `asked for ${call.input.word}`);
      return service.handlers.echo(call);
    };
    return {
      service: { ...service, handlers: { ...service.handlers, echo } },
      authority: sampleAuthority(),
      workers: [
        { stop: () => log.info({}, "the first worker stops last") },
        { stop: () => log.info({}, "the last one first") },
      ],
      ...(config.FIXTURE === "unreacted" ? { reactions: [{ consumed: "a.b", handle: async () => {} }] } : {}),
    };
  },
});
