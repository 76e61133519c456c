import { readFileSync } from 'node:fs'

/** The version of this program, as package.json says it. */
export const version: string = readVersion(new URL('../../package.json', import.meta.url))

function readVersion(manifest: URL): string {
  // npm's format.
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { readonly version: string }).version
}
