-- Mail to an account, from the request until somebody has delivered it. It holds no secret: a token that belongs in it is
-- made at delivery.
create table mail (
  id text primary key,
  kind text not null check (kind in ('password_reset')),
  account_id text not null references account (id) on delete cascade,
  -- How often it was asked for while it waited; the version of its news.
  requests int not null default 1,
  delivered_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
-- Whoever asks again while one is waiting asks for the same one: so the table grows with accounts and not with requests.
create unique index mail_waiting on mail (account_id, kind) where delivered_at is null;
create index mail_delivered on mail (delivered_at) where delivered_at is not null;

-- The token of a delivered reset mail, by its sha256. It is used up by being removed.
create table reset_token (
  hash text primary key,
  account_id text not null references account (id) on delete cascade,
  mail_id text not null references mail (id) on delete cascade,
  expires_at timestamptz not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
-- One at a time: making another voids the earlier.
create unique index reset_token_account on reset_token (account_id);
