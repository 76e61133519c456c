export interface Column<Row> {
  readonly title: string
  readonly align?: 'right'
  value(row: Row): string
}

/** Rows as aligned text for people, with a line of titles. */
export function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string[] {
  const cells = [columns.map(({ title }) => title), ...rows.map((row) => columns.map(({ value }) => value(row)))]
  const widths = columns.map((_, index) => Math.max(...cells.map((line) => widthOf(line[index] ?? ''))))
  return cells.map((line) =>
    line
      .map((cell, index) => padded(cell, widths[index] ?? 0, columns[index]?.align))
      .join('  ')
      .trimEnd(),
  )
}

/** A text on one line, cut at a width. */
export function shortened(text: string, width: number): string {
  const line = text.replace(/\s+/g, ' ').trim()
  return line.length <= width ? line : `${line.slice(0, width - 1)}…`
}

function padded(cell: string, width: number, align: 'right' | undefined): string {
  const blanks = ' '.repeat(width - widthOf(cell))
  return align === 'right' ? `${blanks}${cell}` : `${cell}${blanks}`
}

function widthOf(cell: string): number {
  return [...cell].length
}
