-- The registry of servers. `instance_id` is what everything else refers to; `vmid` is the public number, which always
-- means the instance that is alive now.
create table container_instance (
  instance_id uuid primary key,
  vmid int not null unique,
  customer_id text not null,
  ctype text not null check (ctype in ('game', 'dev')),
  name text not null,
  hostname text not null,
  node text not null,
  ip text,
  -- Where the agent answers, and the secret that it asks for: read by authorize-agent and the poller alone.
  agent_address text not null,
  agent_token text not null,
  engine_type text not null,
  engine_version text,
  payload jsonb not null default '{}' check (jsonb_typeof(payload) = 'object'),
  -- For each key of the payload, the moment of the event that wrote it.
  payload_at jsonb not null default '{}' check (jsonb_typeof(payload_at) = 'object'),
  -- What the customer wants. Suspension never writes it.
  desired text not null default 'running' check (desired in ('running', 'stopped')),
  -- Grows with every change: what compare-and-set compares, and the version of the events.
  version int not null default 1,
  operation_id text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index container_instance_customer on container_instance (customer_id, vmid);

-- What was a server once. The agent's address and token are not kept.
create table deleted_instance (
  instance_id uuid primary key,
  vmid int not null,
  customer_id text not null,
  ctype text not null,
  name text not null,
  hostname text not null,
  node text not null,
  ip text,
  engine_type text not null,
  engine_version text,
  payload jsonb not null,
  desired text not null,
  version int not null,
  reason text not null,
  operation_id text not null,
  created_at timestamptz not null,
  updated_at timestamptz not null default now(),
  deleted_at timestamptz not null
);
create index deleted_instance_customer on deleted_instance (customer_id);

-- One row for every VMID that is not free.
--   reserved: for an instance that is being made    used: a server has it, or is being taken down
--   resting: given back, free again at `free_at`    foreign: found taken at the host, looked at again at `free_at`
create table vmid_reservation (
  vmid int primary key,
  state text not null check (state in ('reserved', 'used', 'resting', 'foreign')),
  ctype text not null,
  -- A resting VMID still names its last holder, so that a call that comes late or twice is recognised.
  instance_id uuid unique,
  customer_id text,
  operation_id text unique,
  free_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check ((free_at is not null) = (state in ('resting', 'foreign'))),
  check (state = 'foreign' or (instance_id is not null and customer_id is not null and operation_id is not null))
);

-- The operation lock. The row stays when the lock is given back, because its fence must only ever grow.
create table operation_lock (
  instance_id uuid primary key,
  fence bigint not null,
  -- Null: nobody holds it.
  operation_id text,
  type text,
  phase text,
  message text,
  locked_at timestamptz,
  heartbeat_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check ((operation_id is null) = (type is null)),
  check ((operation_id is null) = (locked_at is null)),
  check ((operation_id is null) = (heartbeat_at is null))
);

-- What billing last said about an account; a smaller version never replaces a larger one.
create table account_billing (
  account_id text primary key,
  billing_status text not null,
  server_billing_state text not null,
  since timestamptz not null,
  version int not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

-- Operators who used the server of somebody else.
create table audit (
  id text primary key,
  actor text not null,
  -- Session or API key that was presented.
  via text not null,
  action text not null,
  -- The instance; its number and its customer as they were then.
  target text not null,
  vmid int not null,
  customer_id text not null,
  address text,
  request_id text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index audit_actor on audit (actor, created_at);
create index audit_target on audit (target, created_at);
