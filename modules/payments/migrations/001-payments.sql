-- Accounts, the payments of orders, and the ledger of every movement of money. Amounts are minor units (cents).

-- Whoever moves a customer's money holds this row's lock first: balances and entries then agree at every commit.
create table payments.account (
  id uuid primary key,
  user_id uuid not null unique,
  balance_minor bigint not null default 0 check (balance_minor >= 0),
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp()
);

create table payments.payment (
  id uuid primary key,
  -- One payment for each order, whatever arrives twice.
  order_id uuid not null unique,
  user_id uuid not null,
  amount_minor bigint not null check (amount_minor > 0),
  currency text not null,
  status text not null check (status in ('pending', 'completed', 'failed', 'refunded')),
  -- The movement that took the money.
  transaction_id uuid,
  error_message text,
  -- When it fails unless money has arrived.
  due_at timestamptz not null,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  constraint payment_transaction check ((status in ('completed', 'refunded')) = (transaction_id is not null))
);
create index payment_waiting on payments.payment (user_id, created_at, id) where status = 'pending';
create index payment_due on payments.payment (due_at) where status = 'pending';

-- The ledger: two lines for each movement, the customer's and the house's, which sum to zero. Never changed.
create table payments.entry (
  seq bigint generated always as identity primary key,
  id uuid not null unique,
  movement_id uuid not null,
  kind text not null check (kind in ('topup', 'payment', 'refund')),
  -- Either a customer or an account of the house.
  user_id uuid references payments.account (user_id),
  house text check (house in ('cash', 'sales')),
  amount_minor bigint not null check (amount_minor <> 0),
  balance_after_minor bigint check (balance_after_minor >= 0),
  order_id uuid,
  payment_id uuid references payments.payment (id),
  created_at timestamptz not null default clock_timestamp(),
  constraint entry_side check ((user_id is null) <> (house is null)),
  constraint entry_balance check ((user_id is null) = (balance_after_minor is null)),
  constraint entry_payment check ((kind = 'topup') = (payment_id is null))
);
create index entry_of_user on payments.entry (user_id, seq) where user_id is not null;
-- One debit and one refund for each payment, whatever is repeated.
create unique index entry_once on payments.entry (payment_id, kind) where payment_id is not null and user_id is not null;
