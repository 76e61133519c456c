-- Claims keys that are due and free, with their first messages and each head's first trial. In a function, so that its
-- plan is kept and reads by the indices, also one that was made while the tables were empty.
--
-- `now()`, because no index serves what clock_timestamp() is compared with: all that waits for later would be read.
--
-- A key that another has claimed and given back since this statement's snapshot comes without messages, because what the
-- snapshot shows of them may be done.
create function headrace.claim_keys(of_group text, of_topic text, by_owner uuid, most int, heads_at_once int)
returns table (
  "claimedKey" text, claim bigint, seq bigint, key text, partition int, origin text, "offset" bigint, at float8, id text,
  type text, headers text, body bytea, attempt int, trials int
)
language plpgsql set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column
begin
  return query
  with claimed as (
    update headrace.parked_key k set owner = by_owner, claim = k.claim + 1
    where k.group_name = of_group and k.topic = of_topic and k.key = any(array(
      select key from headrace.parked_key
      where group_name = of_group and topic = of_topic and state = 'ready' and owner is null
        and next_try_at <= now()
      order by next_try_at limit most for no key update skip locked))
    returning k.key, k.claim),
  heads as (
    select c.key as queue_key, m.* from claimed c cross join lateral (
      select m.seq, m.message_key as key, m.partition, m.origin, m."offset",
        extract(epoch from m.at)::float8 * 1000 as at, m.message_id as id, m.type, m.headers, m.body,
        m.attempts + 1 as attempt, m.trials
      from headrace.parked_message m
      where m.group_name = of_group and m.topic = of_topic and m.key = c.key and m.state = 'queued'
      order by m.seq limit heads_at_once) m
    where c.claim - 1 = (select seen.claim from headrace.parked_key seen
                         where seen.group_name = of_group and seen.topic = of_topic and seen.key = c.key)),
  tried as (
    update headrace.parked_message set trials = 1
    where trials = 0 and seq in (select min(seq) from heads group by queue_key))
  select c.key, c.claim, h.seq, h.key, h.partition, h.origin, h."offset", h.at, h.id, h.type, h.headers, h.body,
      h.attempt, h.trials
    from claimed c left join heads h on h.queue_key = c.key order by h.seq;
end $$;
