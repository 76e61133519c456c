import { parseArgs } from 'node:util'

export interface LoadTestOptions {
  readonly messages: number
  /** Requests in flight at once. */
  readonly concurrency: number
  /** Base address of the gateway. */
  readonly url: URL
  /** Bytes of `data` in each message, at least. */
  readonly sizeBytes: number
  /** Access token, where the gateway asks for one. */
  readonly token: string | undefined
  /** How long nothing more may become processed before what is missing counts as lost, in ms. */
  readonly patienceMs: number
}

export class UsageError extends Error {}

const usage = `usage: make load-test [N=1000] [C=10] [URL=http://127.0.0.1:8080] [ARGS='--size BYTES --patience SECONDS']
  --messages     how many messages (N)
  --concurrency  requests in flight at once (C)
  --url          where the gateway listens (URL)
  --size         bytes of data in each message (64)
  --patience     seconds without progress after which a missing message counts as lost (30)
  TOKEN          environment: access token, where the gateway asks for one`

export function readOptions(args: readonly string[], env: NodeJS.ProcessEnv): LoadTestOptions {
  const { messages, concurrency, url, size, patience } = parse(args)
  return {
    messages: wholeNumber('--messages', messages),
    concurrency: wholeNumber('--concurrency', concurrency),
    url: address(url),
    sizeBytes: wholeNumber('--size', size),
    token: env.TOKEN,
    patienceMs: wholeNumber('--patience', patience) * 1000,
  }
}

function parse(args: readonly string[]) {
  const text = (value: string) => ({ type: 'string', default: value }) as const
  try {
    return parseArgs({
      args: [...args],
      options: {
        messages: text('1000'),
        concurrency: text('10'),
        url: text('http://127.0.0.1:8080'),
        size: text('64'),
        patience: text('30'),
      },
    }).values
  } catch (cause) {
    throw new UsageError(`${cause instanceof Error ? cause.message : cause}\n${usage}`)
  }
}

function wholeNumber(name: string, text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new UsageError(`${name}: '${text}' is no whole number from 1 on\n${usage}`)
  return Number(text)
}

function address(text: string): URL {
  const url = URL.parse(text)
  if (url === null || url.protocol !== 'http:') throw new UsageError(`--url: '${text}' is no http address\n${usage}`)
  return url
}
