-- The log: every message, at an offset that is gapless and in commit order per (topic, partition).

create table headrace.log_incarnation (
  id uuid primary key,
  started_at timestamptz not null default now(),
  -- The cluster and timeline that this incarnation was written on; another one means a restored copy.
  cluster text not null,
  predecessor uuid references headrace.log_incarnation (id),
  -- The predecessor's heads, as found when this incarnation began: {"topic/partition": next offset}.
  predecessor_heads jsonb not null default '{}'
);

create table headrace.log_topic (
  topic text primary key,
  partitions int not null check (partitions > 0)
);

-- The row lock of a head orders the commits of its partition. Few rows, updated often: room for HOT updates.
create table headrace.log_head (
  topic text collate "C" not null references headrace.log_topic (topic),
  partition int not null,
  next_offset bigint not null default 1,
  last_at timestamptz not null default '-infinity',
  primary key (topic, partition)
) with (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

-- Children of an hour each are made apart and attached ahead of time; there is no default child.
create table headrace.log (
  topic text collate "C" not null,
  partition int not null,
  "offset" bigint not null,
  at timestamptz not null,
  key text not null,
  message_id text not null,
  type text not null,
  headers text not null,
  body bytea not null,
  bytes int not null
) partition by range (at);
create index log_position on headrace.log (topic, partition, "offset");
create index log_message_id on headrace.log (message_id);

-- Consumers in other databases say here how far they are; see docs/decisions.
create table headrace.log_reader (
  group_name text not null,
  topic text collate "C" not null,
  partition int not null,
  position bigint not null,
  at timestamptz not null default now(),
  primary key (group_name, topic, partition)
);

-- Appends messages at the next offsets of their partitions. p_topics, p_partitions and p_counts list each touched
-- partition once, in (topic, partition) order; p_slots says to which of them (from 1) each message belongs, and
-- p_ordinals which of that partition's new messages (from 0) it is. Bodies are slices of one blob.
-- To be called as the last statement before COMMIT: it locks the heads until then, in the one global order.
create function headrace.log_append(
  p_topics text[], p_partitions int[], p_counts int[],
  p_slots int[], p_ordinals int[], p_keys text[], p_ids text[], p_types text[], p_headers text[],
  p_starts int[], p_lengths int[], p_bytes int[], p_blob bytea
) returns table (topic text, partition int, first_offset bigint, at timestamptz)
language plpgsql as $$
declare
  slots int := cardinality(p_topics);
  bases bigint[];
  moments timestamptz[];
begin
  if slots > 1 then
    perform from headrace.log_head h
      join unnest(p_topics, p_partitions) as t(topic, partition) on h.topic = t.topic and h.partition = t.partition
      order by h.topic, h.partition
      for update of h;
  end if;
  with moved as (
    update headrace.log_head h
      set next_offset = h.next_offset + t.count, last_at = greatest(h.last_at, clock_timestamp())
      from unnest(p_topics, p_partitions, p_counts) with ordinality as t(topic, partition, count, slot)
      where h.topic = t.topic and h.partition = t.partition
      returning t.slot, h.next_offset - t.count as base, h.last_at
  )
  select array_agg(moved.base order by moved.slot), array_agg(moved.last_at order by moved.slot)
    into bases, moments from moved;
  if coalesce(cardinality(bases), 0) <> slots then
    raise exception 'unknown topic among: %', p_topics using errcode = 'HR001';
  end if;
  insert into headrace.log (topic, partition, "offset", at, key, message_id, type, headers, body, bytes)
    select p_topics[m.slot], p_partitions[m.slot], bases[m.slot] + m.ordinal, moments[m.slot],
           m.key, m.id, m.type, m.headers, substring(p_blob from m.start for m.length), m.bytes
    from unnest(p_slots, p_ordinals, p_keys, p_ids, p_types, p_headers, p_starts, p_lengths, p_bytes)
      as m(slot, ordinal, key, id, type, headers, start, length, bytes);
  return query select t.topic, t.partition, bases[t.slot], moments[t.slot]
    from unnest(p_topics, p_partitions) with ordinality as t(topic, partition, slot);
end
$$;

-- Every cursor over this log: readers elsewhere, and (replaced by the inbox's migration) lanes here.
create view headrace.log_cursor as
  select group_name, topic, partition, position from headrace.log_reader;
