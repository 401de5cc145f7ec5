-- Keys of programs that act for an account. A revoked one is removed; the audit log remembers it. The secret has 256 bits
-- of chance, so its plain sha256 tells nothing about it.
create table api_key (
  id text primary key,
  account_id text not null references account (id) on delete cascade,
  name text not null,
  secret_hash text not null,
  scopes text[] not null,
  -- Addresses and ranges from which it is accepted; empty: any.
  cidrs text[] not null default '{}',
  expires_at timestamptz,
  -- To the minute.
  last_used_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create unique index api_key_name on api_key (account_id, lower(name));
create index api_key_expires on api_key (expires_at) where expires_at is not null;
