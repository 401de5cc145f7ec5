-- Operators look for one kind of line; without it they would read the whole log for a rare one.
create index audit_action on audit (action, at, id);
