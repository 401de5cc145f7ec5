-- One row per account, born on the free plan when it is first heard of.
create table account (
  account_id text primary key,
  plan text not null,
  -- What the plan included when the account joined it.
  limits jsonb not null,
  -- What payments alone make of the account.
  billing_status text not null default 'active'
    check (billing_status in
      ('active', 'past_due', 'overdue_warning', 'suspended', 'retained', 'pending_deletion')),
  earned_state text not null default 'allowed'
    check (earned_state in ('allowed', 'backup_blocked', 'suspended_shutdown', 'retained')),
  -- What an operator has put in its place; all of it is null while nobody has.
  override_state text
    check (override_state in ('allowed', 'backup_blocked', 'suspended_shutdown', 'retained')),
  override_reason text,
  override_until timestamptz,
  override_by text,
  -- When the state that is in force began.
  since timestamptz not null,
  version int not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check ((override_state is null) = (override_reason is null)),
  check ((override_state is null) = (override_by is null)),
  check (override_until is null or override_state is not null)
);

create table audit (
  id text primary key,
  actor text not null,
  action text not null,
  target text not null,
  reason text,
  address text,
  request_id text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index audit_target on audit (target, created_at);
