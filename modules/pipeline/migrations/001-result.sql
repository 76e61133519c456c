-- What the processor made of each message: one row for each message id, whatever is redelivered.
create table pipeline.result (
  message_id text primary key,
  accepted_at timestamptz not null,
  processed_at timestamptz not null default clock_timestamp(),
  attempts int not null,
  result bytea not null
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.2);

-- for the sweep
create index result_processed_at on pipeline.result (processed_at);
