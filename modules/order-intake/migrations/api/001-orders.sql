-- Orders as they were accepted; a bucket is a partition.
create table order_intake_api.orders (
  order_id uuid primary key,
  user_id uuid not null,
  external_id text collate "C",
  amount_minor bigint not null check (amount_minor >= 0),
  -- JSON as text: what was sent is answered with its keys in their order.
  payload text not null,
  status text not null check (status in ('new', 'done', 'deleted')),
  created_at timestamptz not null,
  updated_at timestamptz not null,
  -- The event of the last accepted request, until it is acknowledged.
  pending_event_id uuid,
  -- False until the worker has applied any of its events.
  is_applied boolean not null
) partition by hash (order_id);

create table order_intake_api.orders_0 partition of order_intake_api.orders for values with (modulus 4, remainder 0);
create table order_intake_api.orders_1 partition of order_intake_api.orders for values with (modulus 4, remainder 1);
create table order_intake_api.orders_2 partition of order_intake_api.orders for values with (modulus 4, remainder 2);
create table order_intake_api.orders_3 partition of order_intake_api.orders for values with (modulus 4, remainder 3);

-- Which order of a user has an external id; a row apart, because no index spans the partitions. Deleted orders have none.
create table order_intake_api.external_id (
  user_id uuid not null,
  external_id text collate "C" not null,
  order_id uuid not null,
  primary key (user_id, external_id)
);

-- What was sent to the worker, and what it said.
create table order_intake_api.event (
  event_id uuid primary key,
  order_id uuid not null,
  kind text not null check (kind in ('created', 'updated', 'deleted')),
  accepted_at timestamptz not null default clock_timestamp(),
  -- Null until acknowledged: the acknowledgement's status and code.
  outcome text,
  code text
);

-- for the sweep
create index event_accepted_at on order_intake_api.event (accepted_at);
