import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { circumstances } from './machine.ts'

/** The table and the raw output of one benchmark; both are kept in `bench/results`. */
export interface Report {
  /** A raw line, kept and shown. */
  note(line: string): void
  row(cells: Readonly<Record<string, string>>): void
  /** Writes the table; returns its path. */
  finish(): string
}

const results = new URL('../results/', import.meta.url)

export function openReport(name: string, command: string): Report {
  mkdirSync(results, { recursive: true })
  const raw = fileURLToPath(new URL(`${name}.raw.txt`, results))
  const table = fileURLToPath(new URL(`${name}.md`, results))
  const rows: Readonly<Record<string, string>>[] = []
  const head = circumstances(command)
  writeFileSync(raw, `${head.join('\n')}\n`)
  const note = (line: string) => {
    appendFileSync(raw, `${line}\n`)
    process.stdout.write(`${line}\n`)
  }
  for (const line of head) process.stdout.write(`${line}\n`)
  return {
    note,
    row(cells) {
      rows.push(cells)
      note(
        Object.entries(cells)
          .map(([column, cell]) => `${column}: ${cell}`)
          .join(' · '),
      )
    },
    finish() {
      const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))]
      const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
      const body = [
        line(columns),
        line(columns.map(() => '---')),
        ...rows.map((row) => line(columns.map((c) => row[c] ?? ''))),
      ]
      const text = `# ${name}\n\n\`\`\`\n${head.join('\n')}\n\`\`\`\n\n${body.join('\n')}\n`
      writeFileSync(table, text)
      process.stdout.write(`\n${body.join('\n')}\n`)
      return table
    },
  }
}
