import { type Scope, isOperatorScope } from "#shared/contract/scope.ts";
import { verb } from "#shared/contract/implement.ts";
import { withTx } from "#shared/db/tx.ts";
import { coreFault } from "#shared/fault/core.ts";
import { signedIn } from "../accounts.ts";
import { note } from "../audit.ts";
import { gateway } from "../contract.ts";
import { admission, newKey, viewOf } from "../keys.ts";
import type { Deps } from "../service.ts";
import { lockAccount } from "../store/accounts.ts";
import { countKeys, insertKey } from "../store/keys.ts";

export const createKey = verb(
  gateway,
  "createKey",
)(({ db, clock, sessions, settings }: Deps) => async ({ input, ctx, fail }) => {
  const { id: accountId, via } = signedIn(ctx.actor);
  const { name, cidrs } = input;
  checkRanges(cidrs);
  const expiresAt = input.expiresAt === null ? null : new Date(input.expiresAt);
  if (expiresAt && expiresAt.getTime() <= clock.now()) fail("key_expiry_past");
  const scopes: Scope[] = [...new Set(input.scopes)];
  const { key, ...made } = newKey();
  const stored = await withTx(db, async (tx) => {
    // Locked, so that two requests at once cannot both be the last that fits.
    const { role } = (await lockAccount(tx, accountId)) ?? goneAccount();
    // What ended the session while this one waited also ended the keys, and must not leave a new one behind.
    await sessions.checkAlive(tx, via);
    const denied = role === "operator" ? undefined : scopes.find(isOperatorScope);
    if (denied) fail("key_scope_denied", { details: { scope: denied } });
    const limit = settings.maxKeys;
    if ((await countKeys(tx, accountId)) >= limit) fail("key_limit", { details: { limit } });
    const row = { ...made, accountId, name, scopes, cidrs, expiresAt };
    const inserted = (await insertKey(tx, row)) ?? fail("key_name_taken");
    const details = { name, scopes, cidrs, expiresAt: input.expiresAt };
    await note(tx, ctx, clock.now(), { action: "key.create", target: made.id, details });
    return inserted;
  });
  return { ok: true, key, apiKey: viewOf(stored) };
});

function checkRanges(cidrs: readonly string[]): void {
  try {
    admission(cidrs);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : "not an address range";
    throw coreFault("request.invalid", {
      detail: message,
      details: { issues: [{ path: "cidrs", message }] },
    });
  }
}

const goneAccount = (): never => {
  throw coreFault("auth.invalid_token");
};
