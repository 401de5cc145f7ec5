-- What a client trades for its next access token. Each is used once; the session is the family of all that descend from
-- one sign-in, and ends when a used one comes back. Of the token itself only its sha256 is here.
create table refresh_token (
  hash text primary key,
  session_id text not null references session (id) on delete cascade,
  used_at timestamptz,
  expires_at timestamptz not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index refresh_token_session on refresh_token (session_id);
create index refresh_token_expires on refresh_token (expires_at);

-- Generation of tokens under which the session was opened: when it is raised, no older session is refreshed.
alter table session add column generation int not null default 1;
alter table session alter column generation drop default;

create index session_expires on session (expires_at);
create index session_ended on session (ended_at) where ended_at is not null;
