-- Values with a time limit; see src/table.ts. Logged: sessions survive a restart and a kill.
-- Keys and values compare byte by byte ("C"), whatever the database's locale.
create table headrace.keyvalue (
  key text collate "C" primary key,
  value text collate "C" not null,
  expires_at timestamptz not null
) with (fillfactor = 80);
create index keyvalue_expires_at on headrace.keyvalue (expires_at);
