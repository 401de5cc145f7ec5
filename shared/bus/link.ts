/**
 * Whether the connection to the bus stands. What is published while it does not is kept or dropped by the library
 * depending on the moment, and a reply that was under way never arrives: so callers look here, and hear of a loss.
 */
export class Link {
  private up = true;
  private readonly watchers = new Set<(up: boolean) => void>();

  get isUp(): boolean {
    return this.up;
  }

  set(up: boolean): void {
    if (up === this.up) return;
    this.up = up;
    for (const tell of this.watchers) tell(up);
  }

  /** Calls `tell` at each change; returns the function that ends that. */
  watch(tell: (up: boolean) => void): () => void {
    this.watchers.add(tell);
    return () => this.watchers.delete(tell);
  }

  /** Resolves when the connection stands, or when `signal` aborts. */
  whenUp(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (this.up || signal.aborted) return resolve();
      const done = () => {
        end();
        signal.removeEventListener("abort", done);
        resolve();
      };
      const end = this.watch(done);
      signal.addEventListener("abort", done, { once: true });
    });
  }
}
