-- How far each lane has come: a message at or before it failed once and comes late. -1: not known.
alter table order_lookup.lane_time add column last_offset bigint not null default -1;

-- With origin and partition the lane that a version comes from, in which its offset alone tells its age. Empty: not known.
alter table order_lookup.orders add column version_topic text collate "C" not null default '';
