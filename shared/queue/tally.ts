/** Counts what is under way, for who waits until nothing is. */
export class Tally {
  private count = 0;
  private wake = () => {};

  add(): void {
    this.count++;
  }

  done(): void {
    if (--this.count === 0) this.wake();
  }

  /** Resolves when nothing is. */
  async none(): Promise<void> {
    while (this.count > 0) await new Promise<void>((resolve) => (this.wake = resolve));
  }
}
