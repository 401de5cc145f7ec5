import { mkdirSync, readFileSync } from "node:fs";
import { open, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import { AgentConfig } from "#shared/agent/contract.ts";
import { isThere } from "./files.ts";

const Kept = z.object({
  config: AgentConfig.nullable().default(null),
  meant_to_run: z.boolean().default(false),
  /** What is completely installed, as `name@version`. */
  installed: z.string().nullable().default(null),
});
export type Kept = z.infer<typeof Kept>;

/** Replaces a file so that a reader, also one after a power cut, sees the old or the new text and never a part. */
export async function writeAtomic(path: string, text: string, mode = 0o600): Promise<void> {
  const temporary = `${path}.${crypto.randomUUID()}.tmp`;
  const file = await open(temporary, "wx", mode);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}

/** What the agent remembers over its own restarts, in `AGENT_ROOT/.agent/state.json`. */
export class Store {
  readonly #path: string;
  #kept: Kept;
  /** Writes are queued, so that the last change is also the last one on disk. */
  #written: Promise<void> = Promise.resolve();

  /** Throws when the file is there and unreadable: starting without it would forget a server's configuration. */
  constructor(root: string) {
    this.#path = join(root, ".agent", "state.json");
    mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
    this.#kept = Kept.parse(isThere(this.#path) ? JSON.parse(readFileSync(this.#path, "utf8")) : {});
  }

  get(): Readonly<Kept> {
    return this.#kept;
  }

  /** Changes some members; resolves when they are on disk. */
  set(change: Partial<Kept>): Promise<void> {
    this.#kept = { ...this.#kept, ...change };
    const write = this.#written.then(() => writeAtomic(this.#path, JSON.stringify(this.#kept)));
    this.#written = write.catch(() => {});
    return write;
  }
}
