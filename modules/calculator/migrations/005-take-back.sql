-- Why an operation certainly has no result; null where it may have one (decimals have room for all of them, and are
-- not exact at the very edge). Not every worker can say so: JSON knows no infinity.
create function calculator.no_result(operation "char", arg1 float8, arg2 float8) returns text
language sql immutable as $$
  select case
    when operation = '/' and arg2 = 0 then 'division by zero'
    when abs(case operation
        when '+' then arg1::numeric + arg2::numeric
        when '-' then arg1::numeric - arg2::numeric
        when '*' then arg1::numeric * arg2::numeric
        else arg1::numeric / arg2::numeric
      end) > 1.8e308 then 'result out of range'
  end
$$;

-- As reclaim_tasks, which stays for the version before, and tells which tasks that were.

-- Takes tasks back whose lease has run out, at most those of `most` expressions. One that was started has cost its
-- worker; it fails its expression when that happened max_kills times, or when it has no result, else it is ready again.
create function calculator.take_back(max_kills int, most int) returns table (id uuid, status text)
language plpgsql set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column
declare
  late bigint[] := array(
    select e.id from calculator.expression e
      where e.id = any (array(
        select t.expression_id from calculator.task t
          where t.status = 'running' and t.lease_until < clock_timestamp() order by t.lease_until limit most))
      order by e.id for no key update skip locked);
begin
  return query
  with taken as (
    update calculator.task t
      set kills = t.kills + case when t.started_at is null then 0 else 1 end, lease = null, worker = null,
          started_at = null,
          status = case
            when t.started_at is not null
              and (t.kills + 1 >= max_kills or calculator.no_result(t.operation, t.arg1, t.arg2) is not null)
            then 'failed' else 'ready' end
      where t.expression_id = any (late) and t.status = 'running' and t.lease_until < clock_timestamp()
      returning t.*
  ), failed as (
    update calculator.expression e
      set status = 'failed', updated_at = clock_timestamp(), changed_in = pg_current_xact_id(),
          error = coalesce(calculator.no_result(t.operation, t.arg1, t.arg2),
            format('gave up on %s%s%s: %s of its workers died', t.arg1, t.operation, t.arg2, max_kills))
      from (select distinct on (expression_id) * from taken where status = 'failed' order by expression_id) t
      where e.id = t.expression_id
  )
  select t.id, t.status from taken t;
  perform calculator.cancel_tasks(array(
    select e.id from calculator.expression e
      where e.id = any (late) and e.changed_in = pg_current_xact_id() and e.status = 'failed'));
end $$;
