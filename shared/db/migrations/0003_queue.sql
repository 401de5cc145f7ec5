-- Leased work. One row per (queue, key): the row is what waits, what runs and what is dead, so that two jobs of one
-- key can neither wait side by side nor run at once. Work asked for while the key runs is noted in rerun_*.
--   waiting: lease_until and died_at are null    running: lease_until is set    dead: died_at is set
create sequence job_fence;

create table job (
  queue text not null,
  key text not null,
  id bigint generated always as identity,
  payload jsonb not null,
  -- Not before this time.
  due_at timestamptz not null default now(),
  -- Since when the work has been wanted; what the age of a queue is measured from.
  since_at timestamptz not null default now(),
  -- Runs begun since the last success or request.
  attempt int not null default 0,
  -- From one sequence for all rows, so that a worker paused across a delete and a new request is refused too.
  fence bigint not null default nextval('job_fence'),
  lease_until timestamptz,
  rerun_at timestamptz,
  rerun_payload jsonb,
  died_at timestamptz,
  last_error text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (queue, key),
  check (lease_until is null or died_at is null),
  check ((rerun_at is null) = (rerun_payload is null))
) with (
  fillfactor = 70,
  -- Often, and without giving up the pages that the next burst needs.
  autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, vacuum_truncate = off
);

-- Claiming, renewing and fencing change no column of this index: those updates stay within their page.
create index job_due on job (queue, due_at) where died_at is null;

create table queue_progress (
  queue text primary key,
  -- Exact to a second: more would make every worker wait for the same row.
  last_success_at timestamptz not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
