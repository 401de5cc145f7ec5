-- What billing last said about an account; a projection of its events, so a smaller version never replaces a larger.
create table account (
  account_id text primary key,
  version int not null,
  state jsonb not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

-- What each server takes from its account's limits, from the moment its creation was accepted until it is gone.
create table quota (
  instance_id uuid primary key,
  account_id text not null references account (account_id),
  memory_mib int not null check (memory_mib > 0),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index quota_account on quota (account_id);

-- Clones that run now, per storage. A slot whose holder has vanished falls free at lease_until.
create table clone_slot (
  operation_id text primary key,
  storage text not null,
  lease_until timestamptz not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index clone_slot_storage on clone_slot (storage);

-- The agent's token of a server that is being made; the server's own row has it afterwards.
create table agent_token (
  operation_id text primary key,
  token text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

-- What an operator should look at. One row per matter, however often it is seen.
create table finding (
  kind text not null,
  subject text not null,
  detail jsonb not null,
  seen int not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (kind, subject)
);
