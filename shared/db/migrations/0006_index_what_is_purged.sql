-- For the purge: what has ended is looked for by when it did.
create index operation_finished on operation (finished_at) where finished_at is not null;
create index job_dead on job (died_at) where died_at is not null;
