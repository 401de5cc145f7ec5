-- Events of this service that the stream must get. The relay publishes them and keeps them for a while,
-- so that a stream that lost its storage can be filled again.
create table outbox (
  id text primary key,
  position bigint generated always as identity,
  subject text not null,
  key text not null,
  version bigint not null,
  payload jsonb not null,
  attempts integer not null default 0,
  error text,
  -- Lease and back-off in one: nobody takes the row before this time.
  not_before timestamptz not null default '-infinity',
  published_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create index outbox_waiting on outbox (position) where published_at is null;
create index outbox_waiting_by_subject on outbox (subject, position) where published_at is null;
create index outbox_published on outbox (published_at) where published_at is not null;

-- The stream that the outbox was last published to; one row.
create table outbox_stream (
  id integer primary key check (id = 1),
  stream_created text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
