create table account (
  id text primary key,
  email text not null,
  username text not null,
  password_hash text not null,
  first_name text,
  last_name text,
  display_name text,
  role text not null check (role in ('customer', 'operator')),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
-- Upper and lower case are one name. A username never holds "@", so an identifier names one account at most.
create unique index account_email on account (lower(email));
create unique index account_username on account (lower(username));

-- One row per sign-in, which a token names as its `sid`. A session is over when it was ended or has expired.
create table session (
  id text primary key,
  account_id text not null references account (id) on delete cascade,
  address text,
  expires_at timestamptz not null,
  ended_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index session_account on session (account_id, expires_at);

-- Who did what, from where. Accounts are named without a reference: the row outlives them.
create table audit (
  id text primary key,
  -- Account that acted; null while nobody is signed in.
  actor text,
  action text not null,
  -- Account, session or server that was acted on.
  target text,
  address text,
  api_key text,
  request_id text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index audit_actor on audit (actor, created_at);
create index audit_target on audit (target, created_at);

-- Projection of billing's account state: what is shown of it beside the account.
create table billing_state (
  account_id text primary key,
  version int not null,
  billing_status text not null,
  -- When the suspension that is in force began; null while there is none.
  suspended_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
