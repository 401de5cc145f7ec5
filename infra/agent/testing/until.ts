/** Asks again, every 5 ms, until the answer is truthy, and gives it back; throws what was waited for after `ms`. */
export async function until<T>(
  what: string,
  ask: () => T | Promise<T>,
  ms = 15_000,
): Promise<NonNullable<T>> {
  const end = performance.now() + ms;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (performance.now() > end) throw new Error(`waited ${ms} ms for: ${what}`);
    await Bun.sleep(5);
  }
}
