-- Orders and what is known of their payments. Amounts are minor units (cents).
create table orders.customer_order (
  id uuid primary key,
  user_id uuid not null,
  amount_minor bigint not null check (amount_minor > 0),
  currency text not null,
  status text not null default 'created'
    check (status in ('created', 'payment_pending', 'paid', 'payment_failed', 'cancelled', 'completed')),
  payment_id uuid,
  error_reason text not null default '',
  -- When a paid order completes; null where it stays paid.
  complete_at timestamptz,
  -- In whole milliseconds, so that a cursor can name it.
  created_at timestamptz not null default date_trunc('milliseconds', clock_timestamp()),
  updated_at timestamptz not null default date_trunc('milliseconds', clock_timestamp())
);
create index customer_order_of_user on orders.customer_order (user_id, created_at desc, id desc);
create index customer_order_due on orders.customer_order (complete_at) where status = 'paid' and complete_at is not null;
