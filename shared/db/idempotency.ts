import { createHash } from "node:crypto";
import { coreFault } from "#shared/fault/core.ts";
import type { Tx } from "./connect.ts";

/**
 * Runs `fn` for the first request with this key and stores its answer in the same transaction; an equal request gets
 * that answer again. Concurrent equal requests wait for the first and answer like it, or run if it was rolled back.
 * Rejects with `idempotency.key_reused` (422) when the key came with another body.
 *
 * @param o.scope whose key it is, and for which route: keys of two accounts or routes never meet.
 * @returns the answer as JSON reads it (no Date, no undefined), the first time too, so that all answers are equal.
 */
export async function answerOnce<A>(
  tx: Tx,
  o: { scope: string; key: string; body: unknown },
  fn: () => Promise<A>,
): Promise<{ answer: A; replayed: boolean }> {
  const { scope, key } = o;
  const bodySha256 = createHash("sha256").update(canonical(o.body)).digest("hex");
  const first = await tx`
    insert into idempotency (scope, key, body_sha256) values (${scope}, ${key}, ${bodySha256})
    on conflict do nothing returning key`;
  if (first.length === 1) {
    const text = JSON.stringify({ answer: await fn() });
    await tx`
      update idempotency set answer = ${text}, updated_at = now() where scope = ${scope} and key = ${key}`;
    const stored: { answer: A } = JSON.parse(text);
    return { answer: stored.answer, replayed: false };
  }
  const [known] = await tx<{ bodySha256: string; answer: string | null }[]>`
    select body_sha256, answer from idempotency where scope = ${scope} and key = ${key}`;
  if (known?.bodySha256 !== bodySha256) throw coreFault("idempotency.key_reused");
  if (known.answer === null) throw new Error("answerOnce was called inside of itself");
  const stored: { answer: A } = JSON.parse(known.answer);
  return { answer: stored.answer, replayed: true };
}

/** JSON with the members of every object in one order: a client may send them in any. */
function canonical(value: unknown): string {
  return (
    JSON.stringify(value, (_, item: unknown) =>
      item !== null && typeof item === "object" && !Array.isArray(item)
        ? Object.fromEntries(Object.entries(item).toSorted(([a], [b]) => (a < b ? -1 : 1)))
        : item,
    ) ?? "undefined"
  );
}
