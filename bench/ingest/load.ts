import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import autocannon from 'autocannon'

/** What a load generator saw. Latencies in ms. */
export interface LoadResult {
  readonly tool: string
  readonly perSecond: number
  readonly accepted: number
  readonly refused: number
  readonly p50: number
  readonly p95: number
  readonly p99: number
  readonly raw: string
}

export interface Load {
  readonly url: string
  readonly clients: number
  readonly seconds: number
  /** Requests per second altogether; as many as possible when absent. */
  readonly rate?: number
}

const run = promisify(execFile)

/** Each request names one of 1 000 sources, so that keys spread over partitions and keep their order. */
const script = `
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local n = 0
request = function()
  n = n + 1
  return wrk.format(nil, nil, nil, '{"source":"s' .. (n % 1000) .. '","data":"measurement ' .. n .. ' xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}')
end
done = function(summary, latency)
  io.write(string.format('RESULT {"requests":%d,"us":%d,"refused":%d,"errors":%d,"p50":%d,"p95":%d,"p99":%d}\\n',
    summary.requests, summary.duration, summary.errors.status, summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    latency:percentile(50), latency:percentile(95), latency:percentile(99)))
end
`

/** Loads with wrk where it is installed and no rate is asked for, else with autocannon. */
export async function load(order: Load): Promise<LoadResult> {
  const hasWrk =
    order.rate === undefined &&
    (await run('wrk', ['-v']).then(
      () => true,
      (error: { code?: unknown }) => error.code !== 'ENOENT',
    ))
  return hasWrk ? withWrk(order) : withAutocannon(order)
}

async function withWrk({ url, clients, seconds }: Load): Promise<LoadResult> {
  const directory = await mkdtemp(join(tmpdir(), 'bench-'))
  try {
    const file = join(directory, 'ingest.lua')
    await writeFile(file, script)
    const { stdout } = await run('wrk', ['-t1', `-c${clients}`, `-d${seconds}s`, '-s', file, `${url}/api/v1/ingest`])
    // Printed by the script above.
    const seen = JSON.parse(/RESULT (.*)/.exec(stdout)?.[1] ?? '{}') as Record<string, number>
    const { requests = 0, us = 1, refused = 0, p50 = 0, p95 = 0, p99 = 0 } = seen
    const accepted = requests - refused
    const perSecond = accepted / (us / 1e6)
    return { tool: 'wrk', perSecond, accepted, refused, p50: p50 / 1e3, p95: p95 / 1e3, p99: p99 / 1e3, raw: stdout }
  } finally {
    await rm(directory, { recursive: true })
  }
}

async function withAutocannon({ url, clients, seconds, rate }: Load): Promise<LoadResult> {
  let sent = 0
  const result = await autocannon({
    url: `${url}/api/v1/ingest`,
    method: 'POST',
    connections: clients,
    duration: seconds,
    ...(rate === undefined ? {} : { overallRate: rate }),
    requests: [
      {
        setupRequest(request) {
          sent += 1
          const text = `{"source":"s${sent % 1_000}","data":"measurement ${sent} ${'x'.repeat(64)}"}`
          return { ...request, headers: { 'content-type': 'application/json' }, body: text }
        },
      },
    ],
  })
  return {
    tool: 'autocannon',
    perSecond: result['2xx'] / result.duration,
    accepted: result['2xx'],
    refused: result.non2xx,
    p50: result.latency.p50,
    p95: result.latency.p97_5,
    p99: result.latency.p99,
    raw: JSON.stringify(result),
  }
}
