import type { Message } from '../message.ts'
import type { Transport } from '../transport.ts'

/** What some carriers can do and others cannot, or what a harness can bring about. */
export type Ability =
  /** Is one carrier, which is published to and read by itself. */
  | 'carry'
  /** Takes messages through `publish`. */
  | 'publish'
  /** What it confirmed is still there when the user that published it has stopped. */
  | 'outlive'
  /** Keeps what every known group has passed, until retention. */
  | 'keep'
  /** Refuses what would go over a limit in number or bytes. */
  | 'bounded'
  /** Has as many partitions as a log, so that all members of a group get foreign messages, too. */
  | 'spread'
  /** Its topic can be deleted and made again. */
  | 'recreate'
  /** The beginning of what it holds can be cut off, as retention does. */
  | 'trim'
  /** A publish in flight can be cut off, so that its outcome is unknown. */
  | 'interrupt'

/** How much each of the larger promises moves. */
export interface Sizes {
  /** Messages of one partition in the plain promises; default 100. */
  readonly few: number
  /** Messages of the promise with many publishers; default 5 000. */
  readonly many: number
  /** Publishers and keys of the same; default 50. */
  readonly publishers: number
  /** Messages confirmed before their publisher stops; default 10 000. */
  readonly confirmed: number
  /** Times that reading stops and goes on; default 5. */
  readonly rounds: number
}

export const suiteSizes = {
  few: 100,
  many: 5_000,
  publishers: 50,
  confirmed: 10_000,
  rounds: 5,
} as const satisfies Sizes

/** What the suite knows of a carrier, or of several side by side. */
export interface HarnessTraits {
  /** The carrier, and what is special about this way of running it. */
  readonly name: string
  /** What this carrier cannot do, or this harness not bring about: each with the reason, which the report shows. */
  readonly cannot?: Readonly<Partial<Record<Ability, string>>>
  readonly sizes?: Partial<Sizes>
  /** Longest wait in ms for anything that a promise says will happen; default 30 000. */
  readonly deadlineMs?: number
  /** Largest message as encoded, in bytes; default 921 600. Twice as much is over every limit. */
  readonly messageLimitBytes?: number
}

/** How the suite gets at a carrier. */
export interface CarrierHarness extends HarnessTraits {
  /** True when the carrier is the log of the database itself. */
  readonly isLog?: boolean
  /** Opens the carrier for one promise, which uses topics of its own. */
  open(): Promise<CarrierUnderTest>
}

/** Several carriers of the same topics: what is relayed goes to all of them, and whoever consumes reads all of them. */
export interface CompositeHarness extends HarnessTraits {
  readonly carriers: readonly CarrierHarness[]
}

/** The carriers of a harness; none where the log of the database itself is the carrier. */
export function harnessesOf(harness: CarrierHarness | CompositeHarness): readonly CarrierHarness[] {
  if ('carriers' in harness) return harness.carriers
  return harness.isLog ? [] : [harness]
}

/** A carrier while one promise is proven on it. Disposing ends what `open` began. */
export interface CarrierUnderTest extends AsyncDisposable {
  /** Another user of the carrier, with a connection of its own. The suite stops it. */
  connect(): Promise<Transport>
  /** Makes a topic, where first use does not. */
  declareTopic?(topic: string): Promise<void>
  /** Where appending is publishing. */
  append?(topic: string, messages: readonly Message[]): Promise<void>
  recreate?(topic: string): Promise<void>
  /** Drops what a partition of the carrier holds before a position. */
  trim?(topic: string, partition: number, before: number): Promise<void>
  /** Cuts off what this user has in flight. */
  interrupt?(connection: Transport): Promise<void>
}

/** A sentence that every carrier keeps, and its proof. */
export interface SuitePromise<Proof> {
  readonly name: string
  readonly needs?: readonly Ability[]
  prove(proof: Proof): Promise<void>
}

/** Why a promise does not apply to a carrier, or undefined when it does. */
export function exemption(harness: HarnessTraits, needs: readonly Ability[] = []): string | undefined {
  const missing = needs.find((ability) => harness.cannot?.[ability] !== undefined)
  return missing && `${harness.name} cannot ${missing}: ${harness.cannot?.[missing]}`
}
