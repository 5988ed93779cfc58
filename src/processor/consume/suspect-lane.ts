import type { DeadLetterClass } from '#core/model/dead-letter'
import type { ItemRange } from '#core/policy/bisection'
import type { LeasedEntry } from '#core/transport/batch-stream'

/** Deliveries an innocent entry may have had: rebalancing and restarts of processors count too. */
export const MAX_DELIVERIES = 5
/** Times an entry may be run alone without its process living to tell. */
const MAX_SILENT_RUNS = 3
/** Suspects remembered per shard; all those of some runs. */
const MAX_SUSPECTS = 10_000

/** Trials remembered per shard. */
const MAX_TRIALS = 64

/** State row in which a shard's owner writes what it is about to run alone. */
export const SUSPECT_ROW = 'processor/suspect'

/** Times an entry may end its thread when it is run alone, before its samples are looked at. */
export const MAX_DEATHS_ALONE = 2

/** How to run an entry without the samples that end their run. */
export interface IsolationPlan {
  /** Samples that run well; all others are put aside. */
  parts: readonly ItemRange[]
  kind: DeadLetterClass
  message: string
}

interface Trial {
  correlationId: string
  runs: number
}

/**
 * Finds the entries of a shard that kill their run: all entries of a run that died are suspects, and suspects run alone.
 * Nothing is convicted for the company it was in.
 *
 * What kills the whole process leaves no memory here, so an entry that has been delivered too often is a suspect as well,
 * and before it runs alone its owner says so in a state row: an owner that finds that row again knows.
 */
export class SuspectLane {
  /** By correlation id, which stays the same from owner to owner; an entry's own id need not. */
  readonly #suspects = new Set<string>()
  /** Of suspects that ended their thread alone. */
  readonly #deathsAlone = new Map<string, number>()
  readonly #plans = new Map<string, IsolationPlan>()
  /** Times that entries were run alone while their process did not live to tell, by correlation id. */
  #trials = new Map<string, number>()
  /** Announced by this process, or convicted: its trial ends with the next settlement. */
  #survived: string | undefined

  isSuspect({ correlationId, deliveryCount }: LeasedEntry): boolean {
    return this.#suspects.has(correlationId) || deliveryCount > MAX_DELIVERIES
  }

  /** The run of these entries died. */
  blame(entries: readonly LeasedEntry[]): void {
    if (this.#suspects.size + entries.length > MAX_SUSPECTS) {
      this.#suspects.clear()
      this.#deathsAlone.clear()
      this.#plans.clear()
    }
    for (const { correlationId } of entries) this.#suspects.add(correlationId)
  }

  /** The entries were run without harm. */
  acquit(entries: readonly LeasedEntry[]): void {
    if (this.#suspects.size === 0) return
    for (const { correlationId } of entries) {
      this.#suspects.delete(correlationId)
      this.#deathsAlone.delete(correlationId)
      this.#plans.delete(correlationId)
    }
  }

  /** The suspect ended its thread, alone. @returns how often so far */
  diedAlone({ correlationId }: LeasedEntry): number {
    const deaths = (this.#deathsAlone.get(correlationId) ?? 0) + 1
    this.#deathsAlone.set(correlationId, deaths)
    return deaths
  }

  /** How the suspect is to be run next. */
  keepPlan({ correlationId }: LeasedEntry, plan: IsolationPlan): void {
    this.#plans.set(correlationId, plan)
  }

  planOf({ correlationId }: LeasedEntry): IsolationPlan | undefined {
    return this.#plans.get(correlationId)
  }

  /** Takes the row out of the rows of a new ownership: it is not the handlers'. */
  load(rows: Map<string, Uint8Array>): void {
    this.#trials = parseTrials(rows.get(SUSPECT_ROW))
    this.#survived = undefined
    rows.delete(SUSPECT_ROW)
  }

  /** Whether the entry ended its process each time it was run alone; not when it was replayed since. */
  hasKilledSilently({ correlationId, deliveryCount }: LeasedEntry): boolean {
    return deliveryCount > MAX_DELIVERIES && (this.#trials.get(correlationId) ?? 0) >= MAX_SILENT_RUNS
  }

  /** The entry is convicted: its trial ends with the next settlement. */
  endTrial({ correlationId }: LeasedEntry): void {
    this.#survived = correlationId
  }

  /** Whether the entry must be announced, see {@link announce}, before it runs alone. */
  needsTrial({ deliveryCount }: LeasedEntry): boolean {
    return deliveryCount > MAX_DELIVERIES
  }

  /** The row to save before the entry runs alone. It keeps what earlier processes announced and did not live to tell. */
  announce({ correlationId }: LeasedEntry): Map<string, Uint8Array> {
    const runs = (this.#trials.get(correlationId) ?? 0) + 1
    this.#trials.delete(correlationId)
    this.#trials.set(correlationId, runs)
    for (const oldest of [...this.#trials.keys()].slice(0, -MAX_TRIALS)) this.#trials.delete(oldest)
    this.#survived = correlationId
    return new Map([[SUSPECT_ROW, rowOf(this.#trials)]])
  }

  /**
   * The row to save with the next settlement once the announced entry has run: without that entry, but with those that
   * earlier processes announced. Other runs must not wipe those out: newer entries of higher priority go before them.
   */
  takeBack(): readonly [string, Uint8Array | undefined][] {
    if (this.#survived === undefined) return []
    this.#trials.delete(this.#survived)
    this.#survived = undefined
    return [[SUSPECT_ROW, this.#trials.size === 0 ? undefined : rowOf(this.#trials)]]
  }
}

function rowOf(trials: ReadonlyMap<string, number>): Uint8Array {
  const list = [...trials].map(([correlationId, runs]): Trial => ({ correlationId, runs }))
  return new TextEncoder().encode(JSON.stringify(list))
}

/** A row of an earlier version holds one trial and no list. */
function parseTrials(row: Uint8Array | undefined): Map<string, number> {
  if (row === undefined) return new Map()
  try {
    const parsed = JSON.parse(new TextDecoder().decode(row)) as Trial | Trial[]
    const list = Array.isArray(parsed) ? parsed : [parsed]
    return new Map(list.map(({ correlationId, runs }) => [correlationId, runs]))
  } catch {
    return new Map()
  }
}
