import type { Tx } from "#shared/db/connect.ts";

/** What is older than these moments is of no use to anybody. */
export type Horizons = { now: Date; ended: Date; delivered: Date; audit: Date; keys: Date };

type Removal = (tx: Tx, h: Horizons, limit: number) => Promise<{ count: number }>;

const refreshTokens: Removal = (tx, { now }, limit) => tx`
  delete from refresh_token where hash in (
    select hash from refresh_token where expires_at <= ${now} limit ${limit} for update skip locked)`;

// A session that is refreshed all day long has more tokens than one statement can take along: they go first.
const tokensOfSessions: Removal = (tx, { now, ended }, limit) => tx`
  delete from refresh_token where hash in (
    select t.hash from refresh_token t join session s on s.id = t.session_id
    where s.expires_at <= ${now} or s.ended_at <= ${ended}
    limit ${limit} for update of t skip locked)`;

const sessions: Removal = (tx, { now, ended }, limit) => tx`
  delete from session where id in (
    select id from session s where (expires_at <= ${now} or ended_at <= ${ended})
      and not exists (select from refresh_token where session_id = s.id)
    limit ${limit} for update skip locked)`;

const resetTokens: Removal = (tx, { now }, limit) => tx`
  delete from reset_token where hash in (
    select hash from reset_token where expires_at <= ${now} limit ${limit} for update skip locked)`;

const mail: Removal = (tx, { delivered }, limit) => tx`
  delete from mail where id in (
    select id from mail where delivered_at <= ${delivered} limit ${limit} for update skip locked)`;

const apiKeys: Removal = (tx, { keys }, limit) => tx`
  delete from api_key where id in (
    select id from api_key where expires_at <= ${keys} limit ${limit} for update skip locked)`;

const audit: Removal = (tx, { audit: before }, limit) => tx`
  delete from audit where id in (
    select id from audit where at <= ${before} order by at limit ${limit} for update skip locked)`;

/**
 * For each kind of row, what removes at most `limit` of those that have had their time, step by step until there are none
 * left; two at once share the rows.
 */
export const removals = {
  session: [tokensOfSessions, sessions],
  refreshToken: [refreshTokens],
  resetToken: [resetTokens],
  mail: [mail],
  apiKey: [apiKeys],
  audit: [audit],
} as const satisfies Record<string, readonly Removal[]>;

export type Removed = keyof typeof removals;
