-- Whose token sent the message; null where none did.
alter table pipeline.result add column owner text;
