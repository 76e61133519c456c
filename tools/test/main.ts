import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fastDirectory } from '../services/temporary.ts'
import { discover, type TestFile } from './discover.ts'
import { type Kind, newSeed, readOptions, type TestOptions, UsageError, usage } from './options.ts'
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

/** A file that can run: its stage's server has started. */
interface Job {
  readonly file: TestFile
  readonly stage: Stage
  /** Address of the stage's server. */
  readonly url: string | undefined
}

/** What the files of a run share. */
interface Surroundings {
  readonly options: TestOptions
  readonly servers: Servers
  /** Where the files' processes put what they keep for a while. */
  readonly directory: string
  readonly signal: AbortSignal
}

/** How long one file may take, in seconds, unless --timeout says otherwise; so many times longer with --whole. */
const wholeFactor = 5
const timeoutSeconds: Record<Kind, number> = { unit: 60, it: 480, system: 600 }

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
  const { seed = 'of each file its own', whole, ci } = options
  console.log(`Node ${process.versions.node}, seed ${seed}${whole ? ', the whole matrix' : ''}${ci ? ', CI' : ''}`)
  const stopping = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => stopping.abort())
  const results: FileResult[] = []
  const servers = new Servers()
  const directory = await openDirectory()
  try {
    const surroundings = { options, servers, directory, signal: stopping.signal }
    const [units, others] = [stages.filter(isQuick), stages.filter((stage) => !isQuick(stage))]
    for (const together of [units, others]) results.push(...(await runStages(together, surroundings)))
  } finally {
    await servers.stop()
    await rm(directory, { recursive: true, force: true, maxRetries: 5 })
  }
  const totals = total(results)
  const closing = summary(results)
  console.log(`\n${closing === '' ? '' : `${closing}\n\n`}${closingLine(totals)}`)
  return totals.failed > 0 || stopping.signal.aborted ? 1 : 0
}

/** In memory, where there is plenty: what the tests prove does not depend on the disk, and what they wait for does. */
async function openDirectory(): Promise<string> {
  const path = await mkdtemp(join(await fastDirectory(), 'headrace-run-'))
  // Servers that do not run as root pass through it.
  await chmod(path, 0o711)
  return path
}

function isQuick({ kind }: Stage): boolean {
  return kind === 'unit'
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
  // A broker's driver has no SQL of its own; what a crash or a mutant shows is ours and not the server's.
  const again = of('it').filter(
    ({ path, needsServer, services }) =>
      needsServer && services.length === 0 && path.startsWith('packages/') && !/crash|mutants/.test(path),
  )
  const stages: Stage[] = [
    { title: 'unit tests', kind: 'unit', files: of('unit'), server: undefined },
    { title: 'system tests', kind: 'system', files: of('system'), server: embedded(of('system')) },
    { title: 'tests with a database, sockets and processes', kind: 'it', files: of('it'), server: embedded(of('it')) },
    { title: 'the packages’ database tests again, on PostgreSQL 15', kind: 'it', files: again, server: 15 },
  ]
  return stages.filter((stage) => stage.files.length > 0)
}

/** Runs stages side by side, the files in the order of the stages, of the system tests one at a time: they load the machine. */
async function runStages(stages: readonly Stage[], surroundings: Surroundings): Promise<FileResult[]> {
  const results: FileResult[] = []
  const waiting: Job[] = []
  for (const stage of stages) {
    if (surroundings.signal.aborted) return results
    console.log(`\n${stage.title} (${stage.files.length} files)`)
    const ready = await prepare(stage, surroundings)
    if (Array.isArray(ready)) waiting.push(...ready)
    else results.push(shown(ready))
  }
  let runsSystem = false
  const worker = async () => {
    for (;;) {
      const next = waiting.findIndex(({ stage }) => stage.kind !== 'system' || !runsSystem)
      const [job] = next === -1 ? [] : waiting.splice(next, 1)
      if (job === undefined || surroundings.signal.aborted) return
      const isSystem = job.stage.kind === 'system'
      if (isSystem) runsSystem = true
      results.push(shown(await runJob(job, surroundings)))
      if (isSystem) runsSystem = false
    }
  }
  await Promise.all(Array.from({ length: surroundings.options.concurrency }, worker))
  return results
}

/** The stage's files, ready to run, or why they cannot. */
async function prepare(stage: Stage, { options, servers }: Surroundings): Promise<Job[] | FileResult> {
  const missing = stage.server === 15 ? whyNoPostgres15() : undefined
  if (missing !== undefined) return notRun(stage, options.ci ? { failed: missing } : { skipped: missing })
  try {
    const url = stage.server === undefined ? undefined : await servers.url(stage.server)
    return stage.files.map((file) => ({ file, stage, url }))
  } catch (error) {
    return notRun(stage, { failed: error instanceof Error ? (error.stack ?? error.message) : String(error) })
  }
}

async function runJob({ file, stage, url }: Job, surroundings: Surroundings): Promise<FileResult> {
  const { options, servers, signal } = surroundings
  const title = stage.server === 15 ? `${file.path} (PostgreSQL 15)` : file.path
  const addresses = await addressesFor(file, servers)
  if (typeof addresses === 'string')
    return notRun({ title }, options.ci ? { failed: addresses } : { skipped: addresses })
  const timeoutMs = options.fileTimeoutMs ?? timeoutSeconds[stage.kind] * 1000 * (options.whole ? wholeFactor : 1)
  const seed = options.seed ?? newSeed()
  const env = { ...environment(surroundings, seed, url), ...addresses }
  const result = await runFile({ root: options.root, file, timeoutMs, env, signal })
  return { ...result, path: title, ...(options.seed === undefined && { seed }) }
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

function environment({ options, directory }: Surroundings, seed: number, url: string | undefined): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = {
    // Every file is a process of its own that loads the same sources.
    NODE_COMPILE_CACHE: join(tmpdir(), 'node-compile-cache'),
    ...process.env,
    TMPDIR: directory,
    HEADRACE_TEST_SEED: String(seed),
    ...(options.whole && { HEADRACE_TEST_MATRIX: 'whole' }),
  }
  if (url !== undefined) env['HEADRACE_TEST_DATABASE_URL'] = url
  // Set where this runner is itself under test; the files would then report to it instead of to us.
  delete env['NODE_TEST_CONTEXT']
  return env
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
