declare module 'autocannon' {
  interface Request {
    readonly headers?: Readonly<Record<string, string>>
    readonly body?: string
    readonly path?: string
  }
  interface Options {
    readonly url: string
    readonly method: string
    readonly connections: number
    readonly duration: number
    readonly overallRate?: number
    readonly requests: readonly { setupRequest(request: Request): Request }[]
  }
  interface Result {
    readonly '2xx': number
    readonly non2xx: number
    readonly duration: number
    readonly latency: { readonly p50: number; readonly p97_5: number; readonly p99: number }
  }
  // The package is CommonJS; Node gives its function as the default.
  export default function autocannon(options: Options): Promise<Result>
}
