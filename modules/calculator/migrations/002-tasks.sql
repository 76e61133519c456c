-- Functions rather than statements, because each is several statements of which later ones must see what the locks of
-- earlier ones waited for. Plans made while the tables are empty must not read all of them later: no sequential scans.
--
-- Locks: rows of expressions first, in the order of their ids; whoever changes a task that is not ready holds the row of
-- its expression. Claims skip what is locked and wait for nothing. Live heads come last, with COMMIT.

-- Locks the rows of the expressions that tasks belong to.
create function calculator.lock_expressions(tasks uuid[]) returns void
language plpgsql set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
begin
  perform from calculator.expression e
    where e.id = any (array(select t.expression_id from calculator.task t where t.id = any (tasks)))
    order by e.id for no key update;
end $$;

-- Counts answers of workers. Verdicts: counted; repeated (the same answer again); stale (the lease is no longer the
-- worker's, or the task is finished); unknown. One answer for a task at a time.
create function calculator.answer_tasks(ids uuid[], leases uuid[], results float8[], errors text[])
returns table (id uuid, verdict text, expression_id bigint, readied bigint)
language plpgsql set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column
begin
  perform calculator.lock_expressions(ids);
  return query
  with answer as (
    select * from unnest(ids, leases, results, errors) as given(id, lease, result, error)
  ), judged as (
    select a.id, a.lease, a.result, a.error, t.expression_id, t.seq, t.waiters, case
        when t.id is null then 'unknown'
        when t.status = 'running' and (a.lease is null or a.lease = t.lease) then 'counted'
        when t.status in ('done', 'failed') and a.lease = t.lease
          and coalesce(t.result = a.result, t.result is null and a.result is null) then 'repeated'
        else 'stale'
      end as verdict
    from answer a left join calculator.task t on t.id = a.id
  ), counted as (
    update calculator.task t
      set status = case when j.error is null then 'done' else 'failed' end, result = j.result,
          finished_at = clock_timestamp()
      from judged j
      where j.verdict = 'counted' and t.expression_id = j.expression_id and t.seq = j.seq
      returning t.expression_id, t.seq, t.result, j.error, t.waiters, t.operation, t.arg2
  ), known as (
    select c.expression_id, w.waiter >> 1 as seq,
        max(c.result) filter (where w.waiter & 1 = 0) as value1,
        max(c.result) filter (where w.waiter & 1 = 1) as value2
      from counted c cross join unnest(c.waiters) as w(waiter)
      where c.error is null
      group by 1, 2
  ), supplied as (
    update calculator.task t
      set arg1 = coalesce(t.arg1, case when t.negated1 then -k.value1 else k.value1 end),
          arg2 = coalesce(t.arg2, case when t.negated2 then -k.value2 else k.value2 end),
          status = case when (t.arg1 is null and k.value1 is null) or (t.arg2 is null and k.value2 is null)
                        then t.status else 'ready' end
      from known k
      where t.expression_id = k.expression_id and t.seq = k.seq and t.status = 'waiting'
      returning t.status
  ), ended as (
    update calculator.expression e
      set status = case when c.error is null then 'done' else 'failed' end, error = c.error,
          result = case when c.error is not null then null when e.root_negated then -c.result else c.result end,
          updated_at = clock_timestamp(), changed_in = pg_current_xact_id()
      from (
        select distinct on (c.expression_id) c.expression_id, c.seq, c.result,
            -- Whatever a worker calls it.
            case when c.error is not null and c.operation = '/' and c.arg2 = 0 then 'division by zero' else c.error end
              as error
          from counted c join calculator.expression x on x.id = c.expression_id
          where c.error is not null or c.seq = x.root
          order by c.expression_id, c.seq
      ) c
      where e.id = c.expression_id and e.status in ('pending', 'computing')
  )
  select j.id, j.verdict, j.expression_id, (select count(*) from supplied s where s.status = 'ready') from judged j;
  if exists (select from unnest(errors) as e(error) where e.error is not null) then
    perform calculator.cancel_tasks(array(
      select e.id from calculator.expression e where e.changed_in = pg_current_xact_id() and e.status = 'failed'));
  end if;
end $$;

-- Cancels what is left of expressions that have ended; their rows are locked by the caller.
create function calculator.cancel_tasks(expressions bigint[]) returns void
language sql set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
  update calculator.task t set status = 'cancelled', finished_at = clock_timestamp()
    where t.expression_id = any (expressions) and t.status in ('ready', 'running')
$$;

-- Says that expressions are being computed. One whose row is locked is left to the next claim: waiting for it here, with
-- claimed tasks in hand, could be waiting for whoever waits for those.
create function calculator.mark_computing(expressions bigint[]) returns void
language plpgsql set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
begin
  update calculator.expression e
    set status = 'computing', updated_at = clock_timestamp(), changed_in = pg_current_xact_id()
    where e.id in (
      select p.id from calculator.expression p
        where p.id = any (expressions) and p.status = 'pending' for no key update skip locked);
end $$;

-- Leases ready tasks, one for each worker that is named, in the order of their ranks, and says that their expressions
-- are being computed. The lease holds for lease_ms and
-- the time of the operation (times: + - * /), both in ms. With is_started false the lease is only for starting.
create function calculator.claim_tasks(workers text[], leases uuid[], lease_ms float8, times float8[], is_started boolean)
returns table (
  id uuid, lease uuid, expression_id bigint, user_id bigint, operation "char", arg1 float8, arg2 float8, place bigint
)
language plpgsql set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column
declare
  claimed record;
  begun bigint[] := '{}';
begin
  for claimed in
  with picked as (
    select t.expression_id, t.seq, t.rank from calculator.task t
      where t.status = 'ready' order by t.rank limit cardinality(workers) for no key update skip locked
  ), placed as (
    select p.expression_id, p.seq, row_number() over (order by p.rank, p.expression_id, p.seq) as place from picked p
  ), claimed as (
    update calculator.task t
      set status = 'running', lease = leases[p.place], worker = workers[p.place],
          started_at = case when is_started then clock_timestamp() end,
          lease_until = clock_timestamp() + interval '1 ms'
            * (lease_ms + case when is_started then times[position(t.operation::text in '+-*/')] else 0 end)
      from placed p
      where t.expression_id = p.expression_id and t.seq = p.seq
      returning t.id, t.lease, t.expression_id, t.operation, t.arg1, t.arg2, p.place
  )
  select c.*, e.user_id, e.status
    from claimed c join calculator.expression e on e.id = c.expression_id
    order by c.place
  loop
    return query select claimed.id, claimed.lease, claimed.expression_id, claimed.user_id, claimed.operation,
      claimed.arg1, claimed.arg2, claimed.place;
    if claimed.status = 'pending' then begun := begun || claimed.expression_id; end if;
  end loop;
  if begun <> '{}' then perform calculator.mark_computing(begun); end if;
end $$;

-- Says that leased tasks were started: from now on the lease holds for lease_ms and the time of the operation. Leases that
-- are no longer a worker's change nothing.
create function calculator.start_tasks(ids uuid[], leases uuid[], workers text[], lease_ms float8, times float8[])
returns void language plpgsql set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
begin
  perform calculator.lock_expressions(ids);
  update calculator.task t
    set started_at = clock_timestamp(), worker = s.worker,
        lease_until = clock_timestamp()
          + interval '1 ms' * (lease_ms + times[position(t.operation::text in '+-*/')])
    from unnest(ids, leases, workers) as s(id, lease, worker)
    where t.id = s.id and t.lease = s.lease and t.status = 'running' and t.started_at is null;
end $$;

-- Gives leased tasks back, so that others may have them at once; that costs nobody's life.
create function calculator.release_tasks(ids uuid[], leases uuid[]) returns bigint
language plpgsql set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  readied bigint;
begin
  perform calculator.lock_expressions(ids);
  update calculator.task t
    set status = 'ready', lease = null, lease_until = null, worker = null, started_at = null
    from unnest(ids, leases) as r(id, lease)
    where t.id = r.id and t.lease = r.lease and t.status = 'running';
  get diagnostics readied = row_count;
  return readied;
end $$;

-- Makes tasks ready again whose lease has run out, at most `most` expressions at a time. One that was started has cost
-- its worker; the expression fails when that happened max_kills times. Returns how many are ready again.
create function calculator.reclaim_tasks(max_kills int, most int) returns bigint
language plpgsql set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  late bigint[];
  given_up bigint[];
  readied bigint;
begin
  late := array(
    select e.id from calculator.expression e
      where e.id = any (array(
        select t.expression_id from calculator.task t
          where t.status = 'running' and t.lease_until < clock_timestamp() order by t.lease_until limit most))
      order by e.id for no key update skip locked);
  with reclaimed as (
    update calculator.task t
      set kills = t.kills + case when t.started_at is null then 0 else 1 end, lease = null, worker = null,
          started_at = null,
          status = case when t.started_at is not null and t.kills + 1 >= max_kills then 'failed' else 'ready' end
      where t.expression_id = any (late) and t.status = 'running' and t.lease_until < clock_timestamp()
      returning t.expression_id, t.status, t.operation, t.arg1, t.arg2
  ), failed as (
    update calculator.expression e
      set status = 'failed', updated_at = clock_timestamp(), changed_in = pg_current_xact_id(),
          error = format('gave up on %s%s%s: %s of its workers died', r.arg1, r.operation, r.arg2, max_kills)
      from (select distinct on (expression_id) * from reclaimed where status = 'failed' order by expression_id) r
      where e.id = r.expression_id
      returning e.id
  )
  select (select count(*) from reclaimed where status = 'ready'), array(select id from failed) into readied, given_up;
  if cardinality(given_up) > 0 then perform calculator.cancel_tasks(given_up); end if;
  return readied;
end $$;

-- Ends an expression of this user that has not ended; tells whether there is such an expression at all.
create function calculator.cancel_expression(expression bigint, owner bigint) returns boolean
language plpgsql set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  found_status text;
begin
  select e.status into found_status from calculator.expression e
    where e.id = expression and e.user_id = owner for no key update;
  if found_status in ('pending', 'computing') then
    update calculator.expression e
      set status = 'failed', error = 'cancelled', updated_at = clock_timestamp(), changed_in = pg_current_xact_id()
      where e.id = expression;
    perform calculator.cancel_tasks(array[expression]);
  end if;
  return found_status is not null;
end $$;

-- What this transaction has changed the status of.
create function calculator.changed_expressions() returns setof calculator.expression
language plpgsql stable set enable_seqscan = off as $$
begin
  return query select e.* from calculator.expression e where e.changed_in = pg_current_xact_id_if_assigned();
end $$;
