import type { Queryable } from '@headrace/database'
import type { Breaker } from './breaker.ts'
import type { RelayPlace } from './cursors.ts'

const recorded = new WeakMap<Breaker, string>()

/** Records what the breaker says, when that has changed and while something is wrong: other processes show it. */
export async function recordHealth(database: Queryable, place: RelayPlace, breaker: Breaker): Promise<void> {
  const { state, lastError } = breaker
  const told = `${state} ${lastError?.at ?? ''}`
  if (state === 'closed' && recorded.get(breaker) === told) return
  await database.query({
    name: 'relay.health',
    text: `insert into headrace.relay_health (provider, topic, state, error, error_at)
           values ($1, $2, $3, $4, to_timestamp($5::float8 / 1000))
           on conflict (provider, topic) do update set state = excluded.state, at = clock_timestamp(),
             error = coalesce(excluded.error, relay_health.error),
             error_at = coalesce(excluded.error_at, relay_health.error_at)`,
    values: [place.provider, place.topic, state, lastError?.text ?? null, lastError?.at ?? null],
  })
  recorded.set(breaker, told)
}
