/**
 * Waiting times in milliseconds for attempt 1, 2, 3 …: `baseMs` doubled each time, never above `maxMs`, with up to a
 * fifth taken off by chance so that what failed together does not come back together.
 */
export function exponential(baseMs: number, maxMs: number, chance: () => number = Math.random) {
  return (attempt: number): number =>
    Math.round(Math.min(maxMs, baseMs * 2 ** Math.min(Math.max(attempt, 1) - 1, 30)) * (1 - chance() / 5));
}
