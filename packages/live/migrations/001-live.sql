-- Live streams: what happened to a subject, numbered 1, 2, 3, … in commit order.

-- The row lock of a head orders the commits of its subject. Rows stay for ever: a subject's numbers never start again.
create table headrace.live_head (
  subject text collate "C" primary key,
  seq bigint not null,
  last_at timestamptz not null
) with (fillfactor = 50);

create table headrace.live_event (
  subject text collate "C" not null,
  seq bigint not null,
  -- Never falls with growing seq of a subject, so that what retention leaves is always the latest.
  at timestamptz not null,
  event text not null,
  -- JSON on one line, as it is sent.
  data text not null,
  primary key (subject, seq)
);
create index live_event_at on headrace.live_event (at);

-- Appends events at the next numbers of their subjects. p_subjects and p_counts list each touched subject once; p_slots
-- says to which of them (from 1) each event belongs, p_ordinals which of that subject's new events (from 0) it is.
-- To be called as the last statement before COMMIT, after the log's: it locks the heads until then, sorted by subject.
create function headrace.live_append(
  p_subjects text[], p_counts int[], p_slots int[], p_ordinals int[], p_events text[], p_data text[]
) returns table (subject text, first_seq bigint)
language plpgsql as $$
declare
  bases bigint[];
  moments timestamptz[];
begin
  with moved as (
    insert into headrace.live_head as h (subject, seq, last_at)
      select t.subject, t.count, clock_timestamp() from unnest(p_subjects, p_counts) as t(subject, count)
        order by t.subject collate "C"
      on conflict on constraint live_head_pkey
        do update set seq = h.seq + excluded.seq, last_at = greatest(h.last_at, clock_timestamp())
      returning h.subject, h.seq, h.last_at
  )
  select array_agg(moved.seq - t.count + 1 order by t.slot), array_agg(moved.last_at order by t.slot)
    into bases, moments
    from unnest(p_subjects, p_counts) with ordinality as t(subject, count, slot)
      join moved on moved.subject = t.subject;
  insert into headrace.live_event (subject, seq, at, event, data)
    select p_subjects[e.slot], bases[e.slot] + e.ordinal, moments[e.slot], e.event, e.data
    from unnest(p_slots, p_ordinals, p_events, p_data) as e(slot, ordinal, event, data);
  return query select t.subject, bases[t.slot] from unnest(p_subjects) with ordinality as t(subject, slot);
end
$$;
