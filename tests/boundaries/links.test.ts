import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const fixture = fileURLToPath(new URL('fixtures/links', import.meta.url))

/** `page → target` of every link to a file that is not there, and to a heading that its page has not. */
function brokenLinks(folder: string): string[] {
  const skipped = /(^|\/)(node_modules|fixtures|\.headrace|coverage)(\/|$)/
  return globSync('**/*.md', { cwd: folder, exclude: (name) => skipped.test(name) }).flatMap((page) =>
    linksOf(readFileSync(join(folder, page), 'utf8'))
      .filter((link) => !leads(folder, page, link))
      .map((link) => `${page} → ${link}`),
  )
}

/** Links outside code, without those to other places. */
function linksOf(markdown: string): string[] {
  const text = markdown.replaceAll(/^```[\s\S]*?^```/gm, '').replaceAll(/`[^`\n]*`/g, '')
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] ?? '').filter((link) => !/^[a-z]+:/.test(link))
}

function leads(folder: string, page: string, link: string): boolean {
  const [path = '', heading] = link.split('#')
  const target = path === '' ? join(folder, page) : join(folder, dirname(page), path)
  if (!existsSync(target)) return false
  return heading === undefined || !target.endsWith('.md') || anchors(readFileSync(target, 'utf8')).includes(heading)
}

function anchors(markdown: string): string[] {
  return [...markdown.matchAll(/^#+ +(.*)$/gm)].map((match) =>
    (match[1] ?? '')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

describe('links in the documentation', () => {
  it('lead to a file or heading that exists', () => {
    assert.deepEqual(brokenLinks(root), [])
  })

  it('are found where they do not', () => {
    assert.deepEqual(brokenLinks(fixture), ['page.md → gone.md', 'page.md → #no-such-heading'])
  })
})
