-- The audit log is kept in one place for all services: what was noted here so far is told there as an event.
insert into outbox (id, subject, key, version, payload)
select 'evt_' || substr(id, 5), 'evt.billing.v1.audit.recorded.' || id, id, 1, jsonb_build_object(
  'id', id,
  'actor', actor,
  'via', null,
  'action', action,
  'target', target,
  'customerId', target,
  'address', address,
  'requestId', coalesce(request_id, ''),
  'at', to_char(created_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
  'details', jsonb_build_object('reason', reason))
from audit;
drop table audit;
