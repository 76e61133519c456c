-- Accounts. The e-mail is kept as it was written and compared by `email_key`, which folds its case.
create table auth.users (
  id bigint generated always as identity primary key,
  uid uuid not null unique,
  email text not null,
  email_key text not null unique,
  password_hash text not null,
  created_at timestamptz not null default clock_timestamp()
);
