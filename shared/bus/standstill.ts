import type { NatsConnection } from "nats";

const beatMs = 250;
/** Less is a busy moment, and no news to a caller. */
const noticedMs = 1_000;

type Flushing = Pick<NatsConnection, "flush">;

/**
 * How old a message may be when it is read. A process that was stopped, or kept busy, finds what came meanwhile as if it
 * came now, and would do the work of callers who have long given up. Nothing in a message tells, since the clocks of two
 * machines need not agree: so this process looks how long it stood still itself.
 */
export class Standstill {
  private readonly nc: Flushing;
  private readonly now: () => number;
  private readonly timer: ReturnType<typeof setInterval>;
  private seen: number;
  private stoodMs = 0;
  private times = 0;

  /** `now` is in milliseconds since any moment; no change of the machine's time moves it. */
  constructor(nc: Flushing, now = () => performance.now()) {
    this.nc = nc;
    this.now = now;
    this.seen = now();
    this.timer = setInterval(() => this.look(), beatMs);
    this.timer.unref();
  }

  /** Milliseconds that a message which is read now may have lain unread, at most. */
  age(): number {
    this.look();
    return this.stoodMs;
  }

  end(): void {
    clearInterval(this.timer);
  }

  private look(): void {
    const stoodMs = this.now() - this.seen;
    this.seen += stoodMs;
    if (stoodMs < noticedMs) return;
    this.stoodMs = Math.max(stoodMs, this.stoodMs);
    // Whatever the server held for us comes before its answer, and what comes after it is new; unless we stood still again
    // before we read it.
    const time = ++this.times;
    const over = () => {
      if (time === this.times) this.stoodMs = 0;
    };
    this.nc.flush().then(over, over);
  }
}
