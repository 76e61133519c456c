-- True on markers that settling wrote: the transaction of this id never commits. Without it, settling whose own answer
-- was lost would take its own marker for the transaction's.
alter table headrace.commit_marker add column settled boolean not null default false;
