alter table audit
  -- When it happened, which for news of another service is earlier than when it was written here.
  add column at timestamptz not null default now(),
  -- Session or API key that was presented.
  add column via text,
  -- Account that owns the target, where it is not the actor.
  add column customer_id text,
  -- HTTP status with which the request ended; null while it is under way, and where there was none.
  add column status int,
  add column details jsonb not null default '{}',
  drop column api_key;
-- To the millisecond, as all later ones are: pages of the log are cut at these moments.
update audit set at = date_trunc('milliseconds', created_at);
alter table audit alter column at drop default;

drop index audit_actor;
drop index audit_target;
create index audit_at on audit (at, id);
create index audit_actor on audit (actor, at, id);
create index audit_target on audit (target, at, id);
create index audit_customer on audit (customer_id, at, id) where customer_id is not null;

-- Under an override the account's status and the moment of its suspension were taken from two facts.
update billing_state set billing_status = 'suspended'
where suspended_at is not null and billing_status not in ('suspended', 'retained', 'pending_deletion');
update billing_state set billing_status = 'overdue_warning'
where suspended_at is null and billing_status in ('suspended', 'retained', 'pending_deletion');
