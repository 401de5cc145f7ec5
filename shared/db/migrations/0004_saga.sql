create table operation (
  id text primary key,
  type text not null,
  customer_id text not null,
  instance_id uuid,
  server_id text,
  status text not null check (status in ('queued', 'running', 'succeeded', 'failed', 'unknown', 'cancelled')),
  phase text not null,
  message text not null,
  started_at timestamptz,
  finished_at timestamptz,
  result jsonb,
  error jsonb,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check ((finished_at is not null) = (status in ('succeeded', 'failed', 'cancelled')))
);
create index operation_instance on operation (instance_id) where instance_id is not null;

create table saga (
  operation_id text primary key references operation (id) on delete cascade,
  type text not null,
  queue text not null,
  state jsonb not null,
  undoing boolean not null default false,
  -- Of the step that is done or undone next; the step count when all are done, -1 when all are undone.
  position int not null default 0,
  -- Tries of that step in this direction; the first one's time is by the worker's clock.
  attempt int not null default 0,
  first_attempt_at timestamptz,
  outcome_unknown boolean not null default false,
  -- Why the saga unwinds, and the step at which it began to.
  error jsonb,
  failed_position int,
  -- Set from outside: unwind with this error instead of going on.
  abandon jsonb,
  settled_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table saga_step (
  operation_id text not null references saga (operation_id) on delete cascade,
  position int not null,
  name text not null,
  status text not null default 'pending'
    check (status in ('pending', 'running', 'done', 'undoing', 'undone', 'failed')),
  message text,
  started_at timestamptz,
  finished_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (operation_id, position)
);
