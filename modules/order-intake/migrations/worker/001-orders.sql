-- Orders as the worker has applied their events; a bucket is a partition, the same as in the api.
create table order_intake_worker.orders (
  order_id uuid primary key,
  user_id uuid not null,
  external_id text collate "C",
  amount_minor bigint not null check (amount_minor >= 0),
  payload text not null,
  status text not null check (status in ('done', 'deleted')),
  created_at timestamptz not null,
  updated_at timestamptz not null
) partition by hash (order_id);

create table order_intake_worker.orders_0 partition of order_intake_worker.orders for values with (modulus 4, remainder 0);
create table order_intake_worker.orders_1 partition of order_intake_worker.orders for values with (modulus 4, remainder 1);
create table order_intake_worker.orders_2 partition of order_intake_worker.orders for values with (modulus 4, remainder 2);
create table order_intake_worker.orders_3 partition of order_intake_worker.orders for values with (modulus 4, remainder 3);

create index orders_external_id on order_intake_worker.orders (user_id, external_id) where external_id is not null;
