-- One row for each Idempotency-Key in use, written in the transaction of its effect.
create table headrace.idempotency_key (
  -- sha256 of caller, method, route and key
  id bytea primary key,
  fingerprint bytea not null,
  effect_id text not null,
  -- null until the answer is known
  status smallint,
  -- JSON as text: it is given back as it was, never searched
  body text,
  created_at timestamptz not null default now(),
  constraint idempotency_key_answer check ((status is null) = (body is null) and status < 500 and status <> 429)
);

-- for the sweep
create index idempotency_key_created_at on headrace.idempotency_key (created_at);
