/** Answers to questions that are asked together: many callers, few statements. */
export interface Asking<Question, Answer> {
  /** The answer of a statement that begins after this call. Rejects with what the statement threw. */
  ask(question: Question): Promise<Answer>
}

export interface AskingOptions<Question, Answer> {
  /** Answers all questions, in their order. */
  readonly run: (questions: readonly Question[]) => Promise<readonly Answer[]>
  /** Most questions in one statement. */
  readonly maxQuestions: number
  /** Most statements at once. */
  readonly flights: number
}

interface Waiting<Question, Answer> {
  readonly question: Question
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: unknown) => void
}

/** Gathers what is asked while statements are in flight; a caller that comes alone waits for nobody. */
export function asking<Question, Answer>(options: AskingOptions<Question, Answer>): Asking<Question, Answer> {
  const waiting: Waiting<Question, Answer>[] = []
  let inFlight = 0
  let isScheduled = false

  function takeOff(): void {
    isScheduled = false
    while (inFlight < options.flights && waiting.length > 0) {
      inFlight += 1
      void fly(waiting.splice(0, options.maxQuestions)).finally(() => {
        inFlight -= 1
        takeOff()
      })
    }
  }

  async function fly(batch: readonly Waiting<Question, Answer>[]): Promise<void> {
    try {
      const answers = await options.run(batch.map(({ question }) => question))
      for (const [index, { resolve }] of batch.entries()) {
        // One answer a question, which `run` promises.
        resolve(answers[index] as Answer)
      }
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
  }

  return {
    ask(question) {
      return new Promise((resolve, reject) => {
        waiting.push({ question, resolve, reject })
        if (isScheduled) return
        isScheduled = true
        // At the end of this turn, so that questions of one turn share a statement.
        setImmediate(takeOff)
      })
    },
  }
}
