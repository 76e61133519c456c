import type { RouteOptions } from 'fastify'

/** Remembers which methods each path takes, to tell 405 from 404. */
export interface AllowedMethods {
  add(route: RouteOptions): void
  /** The methods of a path, in the alphabet's order; empty when there is no such path. */
  of(path: string): string[]
}

/** An empty memory. A route that ends in `*` takes any path, which says nothing about one: it is not remembered. */
export function allowedMethods(): AllowedMethods {
  const routes: { readonly segments: readonly string[]; readonly methods: readonly string[] }[] = []
  return {
    add(route) {
      if (route.url.endsWith('*')) return
      routes.push({ segments: route.url.split('/'), methods: [route.method].flat() })
    },
    of(path) {
      const asked = path.split('/')
      const methods = routes.filter(({ segments }) => matches(segments, asked)).flatMap((route) => route.methods)
      return [...new Set(methods)].sort()
    },
  }
}

function matches(pattern: readonly string[], asked: readonly string[]): boolean {
  const isSame = (segment: string, index: number) =>
    segment.startsWith(':') ? asked[index] !== undefined && asked[index] !== '' : segment === asked[index]
  return pattern.length === asked.length && pattern.every(isSame)
}
