-- A worker's turn is one statement: how the last jobs ended is written down and the next ones are taken in one round
-- trip and one commit. As functions, because the steps must see what the ones before them did, and because they use
-- indexes only: a queue grows from nothing to thousands between two looks of the statistics collector, and a plan that
-- was made while it was empty reads all of it.

-- Compared byte by byte: nobody reads them in order, and every index look-up compares them.
alter table job alter column queue type text collate "C", alter column key type text collate "C";

-- Whose lease it is. A worker that finds one of its own that it knows nothing of (the answer to its claim, or to the
-- transaction that asked for the job, was lost) need not wait for it to run out.
alter table job add column holder text;

-- A row is updated once or twice and then deleted: with that much room on its page no update touches an index.
alter table job set (fillfactor = 40);

-- Writes how runs ended: `settled` are the keys that were still held, `kept` says that some are wanted again. With `skip`,
-- rows that another transaction has locked are left out: waiting for several of them at once could end in a deadlock.
--   done_keys, done_fences: of the runs that ended well    others: [{ key, fence, kind: again | failed | released, at, error }]
create function job_settle(
  of_queue text, done_keys text[], done_fences bigint[], others jsonb, at_time timestamptz, max_attempts int, skip boolean,
  out settled text[], out kept boolean
) language plpgsql set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
declare
  finished tid[];
  well boolean;
begin
  -- Locked first: each later statement then sees the rows as they are, whoever changed them meanwhile.
  if skip then
    select array_agg(j.key), array_agg(j.ctid) filter (where g.done and not j.wanted), bool_or(g.well)
      into settled, finished, well
      from (
        select key, fence, true as done, true as well from unnest(done_keys, done_fences) as d (key, fence)
        union all
        select key, fence, false, kind in ('again', 'done')
        from jsonb_to_recordset(others) as o (key text, fence bigint, kind text)
      ) g cross join lateral (
        select ctid, key, rerun_at is not null as wanted from job
        where queue = of_queue and key = g.key and fence = g.fence and lease_until is not null
        for update skip locked
      ) j;
  else
    select array_agg(j.key), array_agg(j.ctid) filter (where g.done and not j.wanted), bool_or(g.well)
      into settled, finished, well
      from (
        select key, fence, true as done, true as well from unnest(done_keys, done_fences) as d (key, fence)
        union all
        select key, fence, false, kind in ('again', 'done')
        from jsonb_to_recordset(others) as o (key text, fence bigint, kind text)
      ) g cross join lateral (
        select ctid, key, rerun_at is not null as wanted from job
        where queue = of_queue and key = g.key and fence = g.fence and lease_until is not null
        for update
      ) j;
  end if;
  settled := coalesce(settled, '{}');
  delete from job where ctid = any (finished);
  kept := cardinality(settled) > coalesce(cardinality(finished), 0);
  if kept then
    update job j set
      lease_until = null,
      holder = null,
      died_at = case when g.kind = 'failed' and j.rerun_at is null and j.attempt >= max_attempts then at_time end,
      due_at = least(g.at, j.rerun_at),
      since_at = case
        when j.rerun_at is not null then greatest(j.rerun_at, at_time)
        when g.kind = 'again' then g.at
        else j.since_at end,
      attempt = case
        when j.rerun_at is not null or g.kind = 'again' then 0
        when g.kind = 'released' then greatest(j.attempt - 1, 0)
        else j.attempt end,
      payload = coalesce(j.rerun_payload, j.payload),
      rerun_at = null,
      rerun_payload = null,
      last_error = case when g.kind = 'released' then j.last_error else g.error end,
      updated_at = now()
    from (
      select key, fence, 'done' as kind, null::timestamptz as at, null as error
      from unnest(done_keys, done_fences) as d (key, fence)
      union all
      select key, fence, kind, at, error
      from jsonb_to_recordset(others) as o (key text, fence bigint, kind text, at timestamptz, error text)
    ) g
    where j.queue = of_queue and j.key = any (settled) and j.key = g.key and j.fence = g.fence;
  end if;
  -- Looked at before it is written, and nobody waits for it: all workers share the row.
  if well and not exists (
    select from queue_progress where queue = of_queue and last_success_at > at_time - interval '1 second'
  ) then
    update queue_progress set last_success_at = at_time, updated_at = now()
      where queue = (select queue from queue_progress where queue = of_queue for update skip locked)
        and last_success_at < at_time;
    insert into queue_progress (queue, last_success_at)
      select of_queue, at_time where not exists (select from queue_progress where queue = of_queue)
      on conflict do nothing;
  end if;
end $$;

-- Takes up to `most` jobs that are due, whose lease ran out, or whose lease is our own and forgotten. Keys in `except`
-- are in the caller's hands and are not taken for either. What was asked for as a worker's own has its name with a star,
-- since its transaction may commit at any time, and counts as forgotten only when its key is in `doubtful`. What was
-- forgotten never ran: its attempt is counted already. A job that has had its attempts dies instead of being returned as
-- work. The worker's clock says what is due; the database's counts too, so that a worker whose clock is behind does not
-- overlook what was enqueued just now.
create function job_claim(
  of_queue text, by_holder text, most int, except_keys jsonb, doubtful jsonb, at_time timestamptz, until timestamptz, max_attempts int
)
returns json language plpgsql set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
declare
  due tid[];
  claimed json;
begin
  select array_agg(ctid) into due from (
    select ctid from job
    where queue = of_queue and died_at is null
      and due_at <= greatest(at_time, now())
      and (lease_until is null or not (except_keys ? key) and (
        lease_until <= at_time or holder = by_holder or holder = by_holder || '*' and doubtful ? key
      ))
    order by due_at limit most for update skip locked
  ) locked;
  if due is null then
    return '[]';
  end if;
  with taken as (
    update job set
      lease_until = case when rerun_at is null and attempt >= max_attempts and coalesce(lease_until <= at_time, true) then null else until end,
      holder = case when rerun_at is null and attempt >= max_attempts and coalesce(lease_until <= at_time, true) then null else by_holder end,
      died_at = case when rerun_at is null and attempt >= max_attempts and coalesce(lease_until <= at_time, true) then at_time end,
      last_error = case when attempt >= max_attempts and coalesce(lease_until <= at_time, true) then 'the worker vanished' else last_error end,
      attempt = case
        when lease_until > at_time then attempt
        when attempt < max_attempts or lease_until > at_time then attempt + 1
        when rerun_at is null then attempt
        else 1 end,
      payload = case when attempt >= max_attempts and coalesce(lease_until <= at_time, true) then coalesce(rerun_payload, payload) else payload end,
      rerun_at = case when attempt < max_attempts or lease_until > at_time then rerun_at end,
      rerun_payload = case when attempt < max_attempts or lease_until > at_time then rerun_payload end,
      fence = nextval('job_fence'),
      updated_at = now()
    where ctid = any (due)
    returning id::text, key, payload, attempt, fence, died_at is not null as dead
  )
  select json_agg(taken) into claimed from taken;
  return claimed;
end $$;

-- Both: jobs are looked for only when the worker is `hungry`; `claimed` is null when nobody looked. `kept` says that what
-- ended brought work, which is for the next turn. `next_due` is when the next waiting job falls due (milliseconds since the
-- epoch) if all that are due were taken.
create function job_turn(
  of_queue text, by_holder text, done_keys text[], done_fences bigint[], others jsonb, hungry boolean, most int,
  except_keys jsonb, doubtful jsonb, at_time timestamptz, until timestamptz, max_attempts int,
  out settled text[], out kept boolean, out claimed json, out next_due float8
) language plpgsql set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
begin
  settled := '{}';
  kept := false;
  if cardinality(done_keys) + jsonb_array_length(others) > 0 then
    select s.settled, s.kept into settled, kept
      from job_settle(of_queue, done_keys, done_fences, others, at_time, max_attempts, true) s;
  end if;
  if hungry and most > 0 then
    claimed := job_claim(of_queue, by_holder, most, except_keys, doubtful, at_time, until, max_attempts);
    if json_array_length(claimed) < most then
      select extract(epoch from due_at) * 1000 into next_due from job
        where queue = of_queue and died_at is null and lease_until is null and due_at > greatest(at_time, now())
        order by due_at limit 1;
    end if;
  end if;
end $$;
