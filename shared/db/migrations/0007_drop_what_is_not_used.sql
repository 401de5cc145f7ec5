-- Consumers recognise a repeated event by its version or by a unique key of their own, and nothing abandons a saga.
drop table inbox;
alter table saga drop column abandon;

-- A saga's job knows its queue. The column stays for processes of the version before, which may still begin sagas.
alter table saga alter column queue drop not null;
