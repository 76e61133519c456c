import type { Database } from '@headrace/database'

/** Attaches the child of an hour in the past, as it would be by now, and returns its name. */
export async function attachPast(database: Database, hoursAgo: number): Promise<string> {
  const { rows } = await database.query<{ name: string; lower: string; upper: string }>({
    text: `select to_char(h at time zone 'utc', '"log_"YYYYMMDDHH24') as name, h::text as lower,
                  (h + interval '1 hour')::text as upper
           from (select date_trunc('hour', now(), 'utc') - $1 * interval '1 hour' as h) as past`,
    values: [hoursAgo],
  })
  const { name = '', lower, upper } = rows[0] ?? {}
  await database.query({
    text: `create table headrace.${name} (like headrace.log including all);
           alter table headrace.log attach partition headrace.${name} for values from ('${lower}') to ('${upper}')`,
  })
  return name
}

/** Messages as they were appended to partition 0 of a topic in an hour of the past; moves its head. */
export async function appendPast(database: Database, topic: string, hoursAgo: number, count: number): Promise<void> {
  await database.query({
    text: `with moved as (
             update headrace.log_head set next_offset = next_offset + $3::int
             where topic = $1 and partition = 0 returning next_offset - $3::int as base)
           insert into headrace.log (topic, partition, "offset", at, key, message_id, type, headers, body, bytes)
           select $1, 0, base + n, date_trunc('hour', now(), 'utc') - $2 * interval '1 hour' + interval '1 minute',
                  '', 'past-' || base + n, 'x', '', '', 10
           from moved, generate_series(0, $3::int - 1) n`,
    values: [topic, hoursAgo, count],
  })
}

/** Says how far a group elsewhere is. */
export async function reader(database: Database, group: string, topic: string, position: number): Promise<void> {
  await database.query({
    text: `insert into headrace.log_reader (group_name, topic, partition, position) values ($1, $2, 0, $3)
           on conflict (group_name, topic, partition) do update set position = excluded.position`,
    values: [group, topic, position],
  })
}

/** The attached children, oldest first. */
export async function children(database: Database): Promise<string[]> {
  const { rows } = await database.query<{ name: string }>({
    text: `select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
           where i.inhparent = 'headrace.log'::regclass and not i.inhdetachpending order by 1`,
  })
  return rows.map(({ name }) => name)
}

/** Every table that looks like a child, attached or not. */
export async function childTables(database: Database): Promise<string[]> {
  const { rows } = await database.query<{ name: string }>({
    text: `select relname as name from pg_class where relkind = 'r' and relname ~ '^log_[0-9]{10}$' order by 1`,
  })
  return rows.map(({ name }) => name)
}
