-- Whether the customer wants the container itself to run, apart from what should run inside it.
alter table container_instance
  add column host_desired text not null default 'running' check (host_desired in ('running', 'stopped')),
  -- Since when, and by which operation, the server is being taken down.
  add column removing_at timestamptz,
  add column removing_by text,
  add check ((removing_at is null) = (removing_by is null));

alter table deleted_instance add column host_desired text not null default 'running';

-- The audit log is kept in one place for all services: what was noted here so far is told there as an event.
insert into outbox (id, subject, key, version, payload)
select 'evt_' || substr(id, 5), 'evt.servers.v1.audit.recorded.' || id, id, 1, jsonb_build_object(
  'id', id,
  'actor', actor,
  'via', via,
  'action', action,
  'target', target,
  'customerId', customer_id,
  'address', address,
  'requestId', request_id,
  'at', to_char(created_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
  'details', jsonb_build_object('vmid', vmid))
from audit;
drop table audit;

-- Locks of what is no server any more and has given its number back.
delete from operation_lock l where not exists (
  select from container_instance i where i.instance_id = l.instance_id
) and not exists (
  select from vmid_reservation r where r.instance_id = l.instance_id and r.state = 'used'
);

-- The last operations of a kind on a server: what a retry is measured by.
create index operation_instance_type on operation (instance_id, type, created_at desc);

-- The replicas that ask agents. Who is not heard of until `expires_at` is gone, and with him what he held.
create table poller (
  id text primary key,
  expires_at timestamptz not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

-- Which replica asks the agent of a server.
create table poll_lease (
  instance_id uuid primary key references container_instance on delete cascade,
  poller_id text not null references poller on delete cascade,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index poll_lease_poller on poll_lease (poller_id);
