import type { Tx } from "#shared/db/connect.ts";
import { newId } from "#shared/ids/ids.ts";

export type MailKind = "password_reset";

/** Asks for mail of a kind; while one waits to be delivered that one is meant, asked for once more. */
export async function requestMail(
  tx: Tx,
  kind: MailKind,
  accountId: string,
): Promise<{ id: string; requests: number }> {
  const [row] = await tx<{ id: string; requests: number }[]>`
    insert into mail ${tx({ id: newId("mail"), kind, accountId })}
    on conflict (account_id, kind) where delivered_at is null
    do update set requests = mail.requests + 1, updated_at = now()
    returning id, requests`;
  if (!row) throw new Error("the mail vanished");
  return row;
}

/** Mail that waits to be delivered, with the present address of its account; locked. */
export async function lockWaitingMail(
  tx: Tx,
  id: string,
  kind: MailKind,
): Promise<{ accountId: string; email: string } | undefined> {
  const [row] = await tx<{ accountId: string; email: string }[]>`
    select m.account_id, a.email from mail m join account a on a.id = m.account_id
    where m.id = ${id} and m.kind = ${kind} and m.delivered_at is null
    for update of m`;
  return row;
}

/** Notes that a mail has been delivered; false when there is none of that id. Repeating keeps the first time. */
export async function settleMail(tx: Tx, id: string, now: Date): Promise<boolean> {
  const rows = await tx`
    update mail set delivered_at = coalesce(delivered_at, ${now}), updated_at = now()
    where id = ${id} returning id`;
  return rows.length === 1;
}

export type MailView = {
  id: string;
  kind: MailKind;
  accountId: string;
  email: string;
  requests: number;
  createdAt: Date;
};

/** Mail that nobody has delivered yet, oldest first, after the one with the id `after`. */
export async function listWaitingMail(tx: Tx, o: { after: string; limit: number }): Promise<MailView[]> {
  return await tx<MailView[]>`
    select m.id, m.kind, m.account_id, a.email, m.requests, m.created_at
    from mail m join account a on a.id = m.account_id
    where m.delivered_at is null and m.id > ${o.after}
    order by m.id limit ${o.limit}`;
}

/** Stores a reset token in place of any earlier one of the account. */
export async function replaceResetToken(
  tx: Tx,
  token: { hash: string; accountId: string; mailId: string; expiresAt: Date },
): Promise<void> {
  await tx`
    insert into reset_token ${tx(token)}
    on conflict (account_id) do update set
      hash = excluded.hash, mail_id = excluded.mail_id, expires_at = excluded.expires_at,
      created_at = now(), updated_at = now()`;
}

/** Whether the account has a token in a mail that was delivered, and can use it after `moment`, too. */
export async function hasTokenUntil(tx: Tx, accountId: string, moment: Date): Promise<boolean> {
  const rows = await tx`
    select from reset_token t join mail m on m.id = t.mail_id
    where t.account_id = ${accountId} and t.expires_at > ${moment} and m.delivered_at is not null`;
  return rows.length === 1;
}

/** A token that can be used at `now`, without using it. */
export async function findResetToken(
  tx: Tx,
  hash: string,
  now: Date,
): Promise<{ accountId: string; mailId: string } | undefined> {
  const [row] = await tx<{ accountId: string; mailId: string }[]>`
    select account_id, mail_id from reset_token where hash = ${hash} and expires_at > ${now}`;
  return row;
}

/** Uses a token up; false when it is unknown, expired or used. Of two at once, one gets it. */
export async function takeResetToken(tx: Tx, hash: string, now: Date): Promise<boolean> {
  const rows = await tx`delete from reset_token where hash = ${hash} and expires_at > ${now} returning hash`;
  return rows.length === 1;
}

/** Voids whatever token the account has. */
export async function dropResetToken(tx: Tx, accountId: string): Promise<void> {
  await tx`delete from reset_token where account_id = ${accountId}`;
}
