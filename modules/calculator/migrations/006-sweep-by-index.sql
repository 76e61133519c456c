-- As in 004, with `now()`: no index serves what clock_timestamp() is compared with, and each look read all expressions that
-- have ended and still have tasks.
create or replace function calculator.sweep_tasks(kept_ms float8, most int) returns bigint
language plpgsql set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  old bigint[] := array(
    select e.id from calculator.expression e
      where e.root is not null and e.status in ('done', 'failed')
        and e.updated_at < now() - interval '1 ms' * kept_ms
      order by e.updated_at limit 100 for no key update skip locked);
begin
  delete from calculator.task t
    using (select s.expression_id, s.seq from calculator.task s where s.expression_id = any (old) limit most) s
    where t.expression_id = s.expression_id and t.seq = s.seq;
  update calculator.expression e set root = null
    where e.id = any (old) and not exists (select from calculator.task t where t.expression_id = e.id);
  return cardinality(old);
end $$;
