-- The newest version of each order, as it was consumed.
create table order_lookup.orders (
  order_uid text collate "C" primary key,
  track_number text collate "C" not null,
  entry text not null,
  locale text not null,
  internal_signature text not null,
  customer_id text collate "C" not null,
  delivery_service text not null,
  shardkey text not null,
  sm_id bigint not null,
  -- As it was written: an order is answered exactly as it came.
  date_created text not null,
  oof_shard text not null,
  -- Which version this is: newer is greater, by time (ms since the epoch), then origin, then position.
  version_at bigint not null,
  version_origin text collate "C" not null,
  version_partition int not null,
  version_offset bigint not null
);

-- The newest first: the warm-up and the list, whole, of one customer, of one track.
create index orders_newest on order_lookup.orders (version_at desc, order_uid desc);
create index orders_of_customer on order_lookup.orders (customer_id, version_at desc, order_uid desc);
create index orders_of_track on order_lookup.orders (track_number, version_at desc, order_uid desc);

create table order_lookup.deliveries (
  order_uid text collate "C" primary key references order_lookup.orders on delete cascade,
  name text not null,
  phone text not null,
  zip text not null,
  city text not null,
  address text not null,
  region text not null,
  email text not null
);

create table order_lookup.payments (
  order_uid text collate "C" primary key references order_lookup.orders on delete cascade,
  transaction text not null,
  request_id text not null,
  currency text not null,
  provider text not null,
  amount bigint not null check (amount = goods_total + delivery_cost + custom_fee),
  payment_dt bigint not null,
  bank text not null,
  delivery_cost bigint not null check (delivery_cost >= 0),
  goods_total bigint not null check (goods_total >= 0),
  custom_fee bigint not null check (custom_fee >= 0)
);

create table order_lookup.items (
  order_uid text collate "C" not null references order_lookup.orders on delete cascade,
  -- The item's place in its order, from 1.
  ordinal int not null,
  chrt_id bigint not null,
  track_number text not null,
  price bigint not null check (price >= 0),
  rid text not null,
  name text not null,
  sale bigint not null,
  size text not null,
  total_price bigint not null check (total_price >= 0),
  nm_id bigint not null,
  brand text not null,
  status bigint not null,
  primary key (order_uid, ordinal)
);

-- The latest time of each lane: no message counts as older than the one before it.
create table order_lookup.lane_time (
  topic text collate "C" not null,
  origin text collate "C" not null,
  partition int not null,
  at bigint not null,
  primary key (topic, origin, partition)
);
