-- Most of what ends has ended well, and nobody wants it again: such rows are locked and deleted in two short statements.
-- What is left of `done_keys` then, and whatever else ended, is for job_settle; so is the first end of each second, which
-- notes the queue's progress. `more` says that a worker took as many jobs as it has hands and that others are due, among
-- them those whose lease ran out; where there are none it is told when the next one falls due, however many it took.
drop function job_turn;
create function job_turn(
  of_queue text, by_holder text, done_keys text[], done_fences bigint[], others jsonb, hungry boolean, most int,
  except_keys jsonb, doubtful jsonb, at_time timestamptz, until timestamptz, max_attempts int,
  out settled text[], out kept boolean, out claimed json, out more boolean, out next_due float8
) language plpgsql set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
declare
  finished tid[];
  rest text[];
begin
  kept := false;
  if cardinality(done_keys) > 0
    and exists (select from queue_progress where queue = of_queue and last_success_at > at_time - interval '1 second')
  then
    select array_agg(j.key), array_agg(j.ctid) into settled, finished
      from unnest(done_keys, done_fences) as d (key, fence) cross join lateral (
        select ctid, key from job
        where queue = of_queue and key = d.key and fence = d.fence and lease_until is not null and rerun_at is null
        for update skip locked
      ) j;
    delete from job where ctid = any (finished);
  end if;
  settled := coalesce(settled, '{}');
  if cardinality(done_keys) + jsonb_array_length(others) > cardinality(settled) then
    select s.settled, s.kept into rest, kept
      from job_settle(of_queue, done_keys, done_fences, others, at_time, max_attempts, true) s;
    settled := settled || rest;
  end if;
  more := false;
  if hungry and most > 0 then
    claimed := job_claim(of_queue, by_holder, most, except_keys, doubtful, at_time, until, max_attempts);
    more := json_array_length(claimed) = most and exists (
      select from job
      where queue = of_queue and died_at is null and due_at <= greatest(at_time, now())
        and (lease_until is null or lease_until <= at_time and not (except_keys ? key))
    );
    if not more then
      select extract(epoch from due_at) * 1000 into next_due from job
        where queue = of_queue and died_at is null and lease_until is null and due_at > greatest(at_time, now())
        order by due_at limit 1;
    end if;
  end if;
end $$;
