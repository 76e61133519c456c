const width = 30

/** A line that grows: redrawn in place on a terminal, written at every tenth elsewhere. */
export class Progress {
  readonly #label: string
  readonly #total: number
  #drawnAt = 0
  #tenth = 0

  constructor(label: string, total: number) {
    this.#label = label
    this.#total = total
  }

  show(done: number): void {
    const complete = done >= this.#total
    if (!process.stdout.isTTY) {
      const tenth = Math.floor((done / this.#total) * 10)
      if (tenth > this.#tenth) console.log(this.#text(done))
      this.#tenth = tenth
      return
    }
    const now = performance.now()
    if (!complete && now - this.#drawnAt < 80) return
    this.#drawnAt = now
    process.stdout.write(`\r${this.#text(done)}${complete ? '\n' : ''}`)
  }

  #text(done: number): string {
    const share = Math.min(1, done / this.#total)
    const filled = Math.round(share * width)
    const bar = '█'.repeat(filled) + '░'.repeat(width - filled)
    return `${this.#label.padEnd(10)} ${bar} ${String(Math.floor(share * 100)).padStart(3)} %  ${done}/${this.#total}`
  }
}
