-- What most answers are: progress that ends nothing. It is one statement that commits by itself, without waiting for the
-- disk: what a crash of the database takes back is computed again. What owners are told, beginnings and ends, has
-- transactions of its own (`begin_expressions`, `answer_tasks`).

-- Counts values and leases what has become ready. Verdicts are those of answer_tasks, and `ends` for a value that would
-- end its expression and is not counted here. A leased task has a place, counted from 1, instead of a verdict: it is the
-- first one where its expression has not begun, and the last one where its result will be the expression's value.
create function calculator.make_progress(
  ids uuid[], leases uuid[], results float8[], workers text[], new_leases uuid[], lease_ms float8, times float8[]
) returns table (
  id uuid, verdict text, readied bigint, lease uuid, expression_id bigint, operation "char", arg1 float8, arg2 float8,
  place bigint, is_first boolean, is_last boolean
)
language plpgsql set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column
begin
  perform set_config('synchronous_commit', 'off', true);
  if cardinality(ids) > 0 then
    perform calculator.lock_expressions(ids);
    return query
    with judged as (
      select a.id, a.result, t.expression_id, t.seq, t.waiters, case
          when t.id is null then 'unknown'
          when t.status = 'running' and (a.lease is null or a.lease = t.lease) then
            case when t.seq = e.root then 'ends' else 'counted' end
          when t.status in ('done', 'failed') and a.lease = t.lease and t.result = a.result then 'repeated'
          else 'stale'
        end as verdict
      from unnest(ids, leases, results) as a(id, lease, result)
        left join calculator.task t on t.id = a.id left join calculator.expression e on e.id = t.expression_id
    ), counted as (
      update calculator.task t set status = 'done', result = j.result, finished_at = clock_timestamp()
        from judged j
        where j.verdict = 'counted' and t.expression_id = j.expression_id and t.seq = j.seq
    ), known as (
      select c.expression_id, w.waiter >> 1 as seq,
          max(c.result) filter (where w.waiter & 1 = 0) as value1,
          max(c.result) filter (where w.waiter & 1 = 1) as value2
        from judged c cross join unnest(c.waiters) as w(waiter)
        where c.verdict = 'counted'
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
    )
    select j.id, j.verdict, (select count(*) from supplied s where s.status = 'ready'), null::uuid, j.expression_id,
        null::"char", null::float8, null::float8, null::bigint, null::boolean, null::boolean
      from judged j;
  end if;
  if cardinality(workers) > 0 then
    return query
    with picked as (
      select t.expression_id, t.seq, t.rank from calculator.task t
        where t.status = 'ready' order by t.rank limit cardinality(workers) for no key update skip locked
    ), placed as (
      select p.expression_id, p.seq, row_number() over (order by p.rank, p.expression_id, p.seq) as place from picked p
    ), claimed as (
      update calculator.task t
        set status = 'running', lease = new_leases[p.place], worker = workers[p.place], started_at = clock_timestamp(),
            lease_until = clock_timestamp()
              + interval '1 ms' * (lease_ms + times[position(t.operation::text in '+-*/')])
        from placed p
        where t.expression_id = p.expression_id and t.seq = p.seq
        returning t.*, p.place
    )
    select c.id, null::text, null::bigint, c.lease, c.expression_id, c.operation, c.arg1, c.arg2, c.place,
        e.status = 'pending', c.seq = e.root
      from claimed c join calculator.expression e on e.id = c.expression_id
      order by c.place;
  end if;
end $$;

-- Says that expressions are being computed: those that are named, and those that tasks belong to. Locks all of them, in
-- order, whatever it changes. Returns those that have begun with this.
create function calculator.begin_expressions(expressions bigint[], tasks uuid[]) returns setof calculator.expression
language plpgsql set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  named bigint[] := expressions || array(select t.expression_id from calculator.task t where t.id = any (tasks));
begin
  perform from calculator.expression e where e.id = any (named) order by e.id for no key update;
  return query
    update calculator.expression e
      set status = 'computing', updated_at = clock_timestamp(), changed_in = pg_current_xact_id()
      where e.id = any (named) and e.status = 'pending'
      returning e.*;
end $$;
