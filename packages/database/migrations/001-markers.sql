-- Markers settle lost answers to COMMIT; see src/marker.ts.
create table headrace.commit_marker (
  id uuid primary key,
  at timestamptz not null default now()
);
create index commit_marker_at on headrace.commit_marker (at);
