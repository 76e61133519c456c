import { fileURLToPath } from 'node:url'
import { discover, type TestFile } from './discover.ts'
import { type Kind, readOptions, type TestOptions, UsageError, usage } from './options.ts'
import { closingLine, fileReport, summary, total } from './report.ts'
import { type FileResult, runFile } from './run-file.ts'
import { type ServiceName, startServer, startService, type TestServer, whyNoPostgres15 } from './server.ts'

interface Stage {
  readonly title: string
  readonly kind: Kind
  readonly files: readonly TestFile[]
  /** The server whose address the files get; undefined: they need none. */
  readonly server: 'embedded' | 15 | undefined
}

/** How long one file may take, in seconds, unless --timeout says otherwise. */
const timeoutSeconds: Record<Kind, number> = { unit: 60, it: 240, system: 600 }

/** Runs the tests that the arguments select and returns the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  if (args.includes('--help')) return say(usage, 0)
  const root = fileURLToPath(new URL('../..', import.meta.url))
  try {
    return await runAll(readOptions(args, process.env, root))
  } catch (error) {
    if (error instanceof UsageError) return say(`${error.message}\n${usage}`, 2)
    throw error
  }
}

async function runAll(options: TestOptions): Promise<number> {
  const stages = stagesOf(options)
  if (stages.length === 0)
    return say(
      `no test file matches ${options.filters.join(' ')}\n${closingLine({ passed: 0, failed: 0, skipped: 0 })}`,
      1,
    )
  console.log(`Node ${process.versions.node}, seed ${options.seed}${options.ci ? ', CI' : ''}`)
  const stopping = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => stopping.abort())
  const results: FileResult[] = []
  const servers = new Servers()
  try {
    for (const stage of stages) results.push(...(await runStage(stage, options, servers, stopping.signal)))
  } finally {
    await servers.stop()
  }
  const totals = total(results)
  const closing = summary(results)
  console.log(`\n${closing === '' ? '' : `${closing}\n\n`}${closingLine(totals)}`)
  return totals.failed > 0 || stopping.signal.aborted ? 1 : 0
}

/** The servers of this run, each started when the first stage needs it. */
class Servers {
  readonly #started = new Map<'embedded' | 15 | ServiceName, Promise<TestServer>>()

  /** One that did not start is not tried again. */
  async url(name: 'embedded' | 15 | ServiceName): Promise<string> {
    const server = this.#started.get(name) ?? (isService(name) ? startService(name) : startServer(name))
    this.#started.set(name, server)
    return (await server).url
  }

  async stop(): Promise<void> {
    for (const server of this.#started.values()) {
      await server.then(
        (started) => started.stop(),
        () => undefined,
      )
    }
    this.#started.clear()
  }
}

function isService(name: 'embedded' | 15 | ServiceName): name is ServiceName {
  return name !== 'embedded' && name !== 15
}

function stagesOf(options: TestOptions): Stage[] {
  const files = discover(options.root, options.filters).filter((file) => options.only.includes(file.kind))
  const of = (kind: Kind) => files.filter((file) => file.kind === kind)
  const embedded = (some: readonly TestFile[]) =>
    some.some((file) => file.needsServer) ? ('embedded' as const) : undefined
  // A broker's driver has no SQL of its own.
  const again = of('it').filter(
    (file) => file.needsServer && file.services.length === 0 && file.path.startsWith('packages/'),
  )
  const stages: Stage[] = [
    { title: 'unit tests', kind: 'unit', files: of('unit'), server: undefined },
    { title: 'tests with a database, sockets and processes', kind: 'it', files: of('it'), server: embedded(of('it')) },
    { title: 'the packages’ database tests again, on PostgreSQL 15', kind: 'it', files: again, server: 15 },
    { title: 'system tests', kind: 'system', files: of('system'), server: embedded(of('system')) },
  ]
  return stages.filter((stage) => stage.files.length > 0)
}

async function runStage(
  stage: Stage,
  options: TestOptions,
  servers: Servers,
  signal: AbortSignal,
): Promise<FileResult[]> {
  if (signal.aborted) return []
  console.log(`\n${stage.title} (${stage.files.length} files)`)
  const missing = stage.server === 15 ? whyNoPostgres15() : undefined
  if (missing !== undefined)
    return [shown(options.ci ? notRun(stage, { failed: missing }) : notRun(stage, { skipped: missing }))]
  let url: string | undefined
  try {
    url = stage.server === undefined ? undefined : await servers.url(stage.server)
  } catch (error) {
    return [shown(notRun(stage, { failed: error instanceof Error ? (error.stack ?? error.message) : String(error) }))]
  }
  const side = stage.kind === 'system' ? 1 : options.concurrency
  const timeoutMs = options.fileTimeoutMs ?? timeoutSeconds[stage.kind] * 1000
  return inParallel(stage.files, side, async (file) => {
    if (signal.aborted) return []
    const addresses = await addressesFor(file, servers)
    if (typeof addresses === 'string') {
      const why = options.ci ? { failed: addresses } : { skipped: addresses }
      return [shown(notRun({ title: file.path }, why))]
    }
    const env = { ...environment(options, url), ...addresses }
    return [shown(await runFile({ root: options.root, file, timeoutMs, env, signal }))]
  })
}

/** Environment with the addresses of what a file uses; a text says what did not start. */
async function addressesFor(file: TestFile, servers: Servers): Promise<NodeJS.ProcessEnv | string> {
  const env: NodeJS.ProcessEnv = {}
  for (const name of file.services) {
    try {
      env[`HEADRACE_TEST_${name.toUpperCase()}`] = await servers.url(name)
    } catch (error) {
      return `${name} did not start: ${error instanceof Error ? error.message : String(error)}`
    }
  }
  return env
}

function environment(options: TestOptions, url: string | undefined): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env, HEADRACE_TEST_SEED: String(options.seed) }
  if (url !== undefined) env.HEADRACE_TEST_DATABASE_URL = url
  // Set where this runner is itself under test; the files would then report to it instead of to us.
  delete env.NODE_TEST_CONTEXT
  return env
}

async function inParallel<T>(
  items: readonly T[],
  side: number,
  run: (item: T) => Promise<FileResult[]>,
): Promise<FileResult[]> {
  const results: FileResult[] = []
  const waiting = items.values()
  const worker = async () => {
    for (const item of waiting) results.push(...(await run(item)))
  }
  await Promise.all(Array.from({ length: side }, worker))
  return results
}

function notRun(stage: Pick<Stage, 'title'>, why: { failed?: string; skipped?: string }): FileResult {
  return {
    path: stage.title,
    passed: 0,
    failures: why.failed === undefined ? [] : [{ name: 'could not run', error: why.failed }],
    skips: why.skipped === undefined ? [] : [{ name: 'all of them', reason: why.skipped }],
    running: [],
    output: '',
    tookMs: 0,
  }
}

function shown(result: FileResult): FileResult {
  console.log(fileReport(result))
  return result
}

function say(text: string, code: number): number {
  console.log(text)
  return code
}
