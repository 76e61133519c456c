-- The consumer's side: who reads (member, lease), how far (lane), and what waits (parked_key, parked_message).

-- A process that consumes. Its row carries the time limit of everything it has leased: one row, one update.
create table headrace.member (
  id uuid primary key,
  -- Number of the session lock that its wake-up connection holds: a killed owner is seen at once.
  session int not null,
  -- "group topic" of each subscription.
  subscriptions text[] not null,
  seen_at timestamptz not null default clock_timestamp()
);

-- Who reads a partition for a group; covers every lane of that partition.
create table headrace.lease (
  group_name text not null,
  topic text collate "C" not null,
  partition int not null,
  owner uuid,
  epoch bigint not null default 0,
  -- False while owned: a lease taken over unreleased had an owner that died.
  released boolean not null default true,
  primary key (group_name, topic, partition)
);

-- Cursor, fence and inbox of a group over one partition of one producer's log. origin is the log's incarnation, or
-- carrier/incarnation for messages of foreign producers. Moved in the transaction of the effect.
create table headrace.lane (
  group_name text not null,
  topic text collate "C" not null,
  partition int not null,
  origin text not null,
  position bigint not null,
  last_id text,
  -- Time of the last message that was handled, for pruning reads.
  seen_until timestamptz not null default '-infinity',
  epoch bigint not null default 0,
  -- The message that ran alone when its process died, and how often that happened.
  trial_id text,
  trials int not null default 0,
  primary key (group_name, topic, partition, origin)
) with (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

-- Where to resume in a carrier that is not the log: it may lag behind the lanes, never lead.
create table headrace.carrier_position (
  group_name text not null,
  topic text collate "C" not null,
  partition int not null,
  carrier text not null,
  incarnation text not null,
  next_number bigint not null,
  primary key (group_name, topic, partition, carrier)
) with (fillfactor = 20);

-- A key whose messages wait: for a retry, for a worker (work), or for somebody (blocked).
create table headrace.parked_key (
  group_name text not null,
  topic text collate "C" not null,
  key text not null,
  state text not null default 'ready' check (state in ('ready', 'blocked')),
  next_try_at timestamptz not null default clock_timestamp(),
  -- The member that works on it; free when null. Members that died lose it.
  owner uuid,
  -- Counts claims: the fence of a claim that was lost.
  claim bigint not null default 0,
  primary key (group_name, topic, key)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
create index parked_key_due on headrace.parked_key (group_name, topic, next_try_at)
  where owner is null and state = 'ready';
create index parked_key_owner on headrace.parked_key (owner) where owner is not null;

create table headrace.parked_message (
  seq bigint generated always as identity primary key,
  group_name text not null,
  topic text collate "C" not null,
  -- The key that it queues under; its own key unless there is no order to keep.
  key text not null,
  message_key text not null,
  -- queued: runs when its key comes up, in the order of seq. dead: set aside until redriven or dropped.
  state text not null default 'queued' check (state in ('queued', 'dead')),
  partition int not null,
  origin text not null,
  "offset" bigint not null,
  at timestamptz not null,
  message_id text not null,
  type text not null,
  headers text not null,
  body bytea not null,
  attempts int not null default 0,
  -- How often a process died while this message was its head; cleared by any other end.
  trials int not null default 0,
  code text,
  error text,
  parked_at timestamptz not null default clock_timestamp()
) with (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
create index parked_message_queue on headrace.parked_message (group_name, topic, key, seq) where state = 'queued';
create index parked_message_dead on headrace.parked_message (group_name, topic, seq) where state = 'dead';
create index parked_message_id on headrace.parked_message (message_id);

-- Retention asks here who still needs what.
create or replace view headrace.log_cursor as
  select group_name, topic, partition, position from headrace.log_reader
  union all
  select group_name, topic, partition, position from headrace.lane
    where origin = (select id::text from headrace.log_incarnation order by started_at desc limit 1);
