-- How far each carrier has each partition of this database's log.

create table headrace.relay_cursor (
  provider text not null,
  topic text collate "C" not null,
  partition int not null,
  -- The log's incarnation, whose offsets the positions are.
  origin text not null,
  -- Everything up to here is on the carrier, or was passed by every group before the relay began.
  position bigint not null,
  -- Where carrying began: the carrier need not hold anything at or before it.
  base bigint not null,
  -- The carrier's incarnation that was written to; empty before the first sight of it.
  incarnation text not null default '',
  -- The lease's epoch: what an old owner writes is fenced off by it.
  epoch bigint not null default 0,
  -- Time of the message at the position, for pruning reads.
  seen_until timestamptz not null default '-infinity',
  -- False once the provider is not configured any more: then retention does not wait for it.
  active boolean not null default true,
  updated_at timestamptz not null default clock_timestamp(),
  primary key (provider, topic, partition)
) with (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

-- What a relay last had to say of its provider; written when that changes, and again while something is wrong.
create table headrace.relay_health (
  provider text not null,
  topic text collate "C" not null,
  state text not null check (state in ('closed', 'open', 'half-open')),
  error text,
  error_at timestamptz,
  at timestamptz not null default clock_timestamp(),
  primary key (provider, topic)
);

-- Retention asks here who still needs what: relays of providers in use, too.
create or replace view headrace.log_cursor as
  select group_name, topic, partition, position from headrace.log_reader
  union all
  select group_name, topic, partition, position from headrace.lane
    where origin = (select id::text from headrace.log_incarnation order by started_at desc limit 1)
  union all
  select 'relay:' || provider, topic, partition, position from headrace.relay_cursor
    where active and origin = (select id::text from headrace.log_incarnation order by started_at desc limit 1);
