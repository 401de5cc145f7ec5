import type { Actor } from "#shared/contract/actor.ts";
import type { Db, Tx } from "#shared/db/connect.ts";
import { emit } from "#shared/db/outbox.ts";
import { withTx } from "#shared/db/tx.ts";
import { coreFault } from "#shared/fault/core.ts";
import type { z } from "zod";
import { gateway, type User } from "./contract.ts";
import type { Passwords } from "./passwords.ts";
import { type AccountView, findByEmail, insertAccount, type Names, type Role } from "./store/accounts.ts";

type NewAccount = Names & { email: string; username: string; passwordHash: string; role: Role };

/** Opens an account and announces it; or tells which of its two names somebody has. */
export async function openAccount(
  tx: Tx,
  { firstName = null, lastName = null, displayName = null, ...account }: NewAccount,
): Promise<{ id: string; role: Role } | { taken: "email" | "username" }> {
  const opened = await insertAccount(tx, { firstName, lastName, displayName, ...account });
  if (!opened) return { taken: (await findByEmail(tx, account.email)) ? "email" : "username" };
  const { email, username, role } = account;
  await emit(tx, gateway.events.accountRegistered, {
    key: opened.id,
    version: 1,
    data: { accountId: opened.id, email, username, role },
  });
  return opened;
}

/**
 * Sees to it that the operator's account exists; an existing one is left as it is, its password too. Throws when
 * one of the names belongs to somebody else: a customer does not become an operator by a line of configuration.
 */
export async function ensureOperator(
  { db, passwords }: { db: Db; passwords: Passwords },
  o: { email: string; username: string; password: string },
): Promise<void> {
  const found = await withTx(db, (tx) => findByEmail(tx, o.email), { readOnly: true });
  if (found?.role === "operator") return;
  if (found) throw new Error("OPERATOR_EMAIL is the address of a customer's account");
  const { email, username } = o;
  const passwordHash = await passwords.hash(o.password, new AbortController().signal);
  const opened = await withTx(db, (tx) =>
    openAccount(tx, { email, username, passwordHash, role: "operator" }),
  );
  // Two gateways may start at once: the other one has done it.
  if ("taken" in opened && opened.taken === "email") return await ensureOperator({ db, passwords }, o);
  if ("taken" in opened) throw new Error(`The operator's username "${username}" belongs to another account`);
}

/** The account of a signed-in caller. */
export function signedIn(actor: Actor): Extract<Actor, { kind: "account" }> {
  if (actor.kind !== "account") throw coreFault("auth.required");
  return actor;
}

/** The public form of an account; `auth.invalid_token` when it is gone while its token still holds. */
export function userOf(account: AccountView | undefined): z.input<typeof User> {
  if (!account) throw coreFault("auth.invalid_token");
  const { billingStatus, suspendedAt, ...rest } = account;
  return { ...rest, billing_status: billingStatus, suspended_at: suspendedAt?.toISOString() ?? null };
}

/** Given names as they are stored: an empty one is none, and one that was not given stays as it is. */
export function namesOf(input: Partial<Record<keyof Names, string | undefined>>): Names {
  const given = Object.entries(input).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given.map(([name, value]) => [name, value || null]));
}
