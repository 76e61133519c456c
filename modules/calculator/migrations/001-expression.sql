create table calculator.expression (
  id bigint generated always as identity primary key,
  user_id bigint not null,
  raw text not null,
  status text not null check (status in ('pending', 'computing', 'done', 'failed')),
  result float8,
  error text,
  -- The task whose result is the value, and whether its sign is turned; null for a bare number and before there are tasks.
  root int,
  root_negated boolean not null default false,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  -- The transaction that last changed the status: what one changed is told in the same one.
  changed_in xid8 not null default pg_current_xact_id(),
  check ((status = 'done') = (result is not null)),
  check ((status = 'failed') = (error is not null))
);

create index expression_of_user on calculator.expression (user_id, id desc);
create index expression_changed_in on calculator.expression (changed_in);

-- One binary operation. States: waiting (for arguments) -> ready -> running (leased) -> done or failed; running -> ready
-- when the lease ran out; ready and running -> cancelled when the expression ended otherwise. A task that waits when its
-- expression ends keeps its row as it is.
create table calculator.task (
  -- No foreign key: checking each of thousands of rows costs more than inserting it, and expressions are never deleted.
  expression_id bigint not null,
  -- The step's place in the graph: after those whose results it uses.
  seq int not null,
  id uuid not null unique,
  operation "char" not null check (operation in ('+', '-', '*', '/')),
  -- Null while unknown.
  arg1 float8,
  arg2 float8,
  -- The steps whose results are the arguments, and whether their signs are turned; null where it is a number.
  source1 int,
  source2 int,
  negated1 boolean not null,
  negated2 boolean not null,
  -- Who waits for the result: step * 2, + 1 where it is the right argument.
  waiters int[] not null,
  -- Order among ready tasks: the time of submission in ms, plus the task's turn within its expression, so that a large
  -- expression holds up nobody for long.
  rank bigint not null,
  status text not null check (status in ('waiting', 'ready', 'running', 'done', 'failed', 'cancelled')),
  result float8,
  -- The fence: only an answer with this lease counts. Kept afterwards, to recognise an answer that is repeated.
  lease uuid,
  lease_until timestamptz,
  worker text,
  -- Leases that ran out after the task was started.
  kills int not null default 0,
  started_at timestamptz,
  finished_at timestamptz,
  primary key (expression_id, seq)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.2);

create index task_ready on calculator.task (rank) where status = 'ready';
create index task_leased on calculator.task (lease_until) where status = 'running';
