-- Events of others that a consumer of this service has handled.
create table inbox (
  consumer text not null,
  event_id text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (consumer, event_id)
);

create index inbox_created_at on inbox (created_at);

-- Answers to requests that carried a key. Text and not jsonb: the repeated answer has the same bytes.
create table idempotency (
  scope text not null,
  key text not null,
  body_sha256 text not null,
  answer text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (scope, key)
);

create index idempotency_created_at on idempotency (created_at);
