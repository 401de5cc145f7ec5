/** A process of a test that says lines and is told lines. */
export type Child = {
  pid: number;
  /** The next line that it says; undefined when it has ended. */
  next(): Promise<string | undefined>;
  tell(line: string): void;
  /** Resolves when it has ended. */
  exited: Promise<number>;
  /** Ends it with -9, also when it is paused. */
  kill(): Promise<void>;
  pause(): void;
  resume(): void;
};

/** Starts a TypeScript file as a process of its own, with more environment. */
export function startChild(file: string, env: Record<string, string>): Child {
  const child = Bun.spawn([process.execPath, file], {
    env: { ...process.env, ...env },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = linesOf(child.stdout);
  return {
    pid: child.pid,
    next: async () => (await lines.next()).value,
    tell(line) {
      void child.stdin.write(`${line}\n`);
      void child.stdin.flush();
    },
    exited: child.exited,
    async kill() {
      child.kill("SIGKILL");
      await child.exited;
    },
    pause: () => child.kill("SIGSTOP"),
    resume: () => child.kill("SIGCONT"),
  };
}

/** The lines that a process writes, as they come; a last one without its end is none. */
export async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, undefined> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const bytes of stream) {
    text += decoder.decode(bytes, { stream: true });
    const lines = text.split("\n");
    text = lines.pop() ?? "";
    yield* lines;
  }
}
