import { Lines } from "./lines.ts";

export type Viewer = {
  send(text: string): void;
  /** Bytes that were sent and have not left yet. */
  buffered(): number;
};

export type HubLimits = {
  /** Characters of past output that a new viewer gets. */
  scrollback: number;
  /** Bytes that may wait for one slow viewer before it misses output. */
  viewerBytes: number;
  viewers: number;
};

export const hubLimits: HubLimits = { scrollback: 64 * 1024, viewerBytes: 1024 * 1024, viewers: 64 };

const skippedNotice = "\r\n[output was skipped: this viewer reads too slowly]\r\n";

/** One terminal's output, for many viewers. A slow viewer misses output; it never slows the program or the others. */
export class ConsoleHub {
  readonly #limits: HubLimits;
  readonly #lines = new Lines();
  /** Each viewer, and whether it has missed output since it was last able to take some. */
  readonly #viewers = new Map<Viewer, { behind: boolean }>();
  readonly #listeners = new Set<(line: string) => void>();
  #decoder = new TextDecoder();
  #past: string[] = [];
  #pastLength = 0;

  constructor(limits: HubLimits = hubLimits) {
    this.#limits = limits;
  }

  /** Output of the terminal, as it comes. */
  write(chunk: Uint8Array): void {
    this.#publish(this.#decoder.decode(chunk, { stream: true }));
  }

  /** A line of the agent itself, among the output. */
  note(sentence: string): void {
    this.#publish(`[agent] ${sentence}\r\n`);
  }

  /** A new program writes from now on: what belongs to the last one is no part of its log tail. */
  begin(): void {
    this.#decoder = new TextDecoder();
    this.#lines.clear();
  }

  /** Shows the viewer the past and then everything new; false when there are too many viewers. */
  add(viewer: Viewer): boolean {
    if (this.#viewers.size >= this.#limits.viewers) return false;
    this.#viewers.set(viewer, { behind: false });
    if (this.#pastLength > 0) viewer.send(this.#past.join(""));
    return true;
  }

  remove(viewer: Viewer): void {
    this.#viewers.delete(viewer);
  }

  /** The viewer's buffer has room again. */
  drained(viewer: Viewer): void {
    const place = this.#viewers.get(viewer);
    if (!place?.behind || viewer.buffered() > this.#limits.viewerBytes / 2) return;
    place.behind = false;
    viewer.send(skippedNotice);
  }

  /** The last lines as plain text. */
  tail(lines = 40, characters = 8192): string {
    return this.#lines.tail(lines, characters);
  }

  /** Resolves true when a line from now on matches, false when `signal` aborts first. */
  waitFor(pattern: RegExp, signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const end = (found: boolean) => {
        this.#listeners.delete(look);
        signal.removeEventListener("abort", stop);
        resolve(found);
      };
      const look = (line: string) => pattern.test(line) && end(true);
      const stop = () => end(false);
      if (signal.aborted) return resolve(false);
      this.#listeners.add(look);
      signal.addEventListener("abort", stop, { once: true });
    });
  }

  #publish(text: string): void {
    if (text === "") return;
    this.#remember(text);
    for (const [viewer, place] of this.#viewers) {
      if (!place.behind && viewer.buffered() > this.#limits.viewerBytes) place.behind = true;
      if (!place.behind) viewer.send(text);
    }
    for (const line of this.#lines.push(text)) for (const look of this.#listeners) look(line);
  }

  #remember(text: string): void {
    this.#past.push(text.slice(-this.#limits.scrollback));
    this.#pastLength += this.#past.at(-1)?.length ?? 0;
    while (this.#past.length > 1 && this.#pastLength > this.#limits.scrollback) {
      this.#pastLength -= this.#past.shift()?.length ?? 0;
    }
  }
}
