import { messageOf, TelemetryError } from '#core/errors/telemetry-error'
import type { Clock } from '#core/time/clock'
import { pause } from '#core/time/pause'
import type { DeadLetterBox, DeadLetterFilter, ReplayOutcome } from '#core/transport/dead-letters'

/** How often the progress is written down, and an abort from elsewhere noticed. */
const SAVE_EVERY_MS = 500
/** Letters in one step: at most, and so that a step takes some fifth of a second at the rate that was asked for. */
const MAX_STEP = 200
const STEPS_PER_SECOND = 5
/** A running job whose record is older belongs to a process that has died. */
export const STALE_MS = 10_000

export type ReplayState = 'running' | 'done' | 'aborted' | 'failed'

/** A replay as it is written down: all that is needed to go on with it. */
export interface ReplayRecord {
  id: string
  state: ReplayState
  /** Bounded: letters that died after the beginning are no part of it. */
  filter: DeadLetterFilter
  ratePerSecond: number
  /** Letters to replay at most; absent: all. */
  limit?: number | undefined
  /** `undefined`: worn-out letters, too. */
  maxGeneration?: number | undefined
  /** Where the next step looks. */
  cursor?: string | undefined
  /** After the death of a process it may have replayed some more than that: a step's. */
  counts: Record<ReplayOutcome, number>
  startedAtMs: number
  savedAtMs: number
  problem?: string | undefined
}

export function noteName(id: string): string {
  return `replay ${id}`
}

export function abortNoteName(id: string): string {
  return `abort ${id}`
}

/**
 * One replay under way. Steps are atomic per letter and oldest first, so whenever it ends, whoever goes on with the record
 * replays the rest, and nothing twice.
 */
export class ReplayJob {
  readonly record: ReplayRecord
  /** Resolves when it has ended, however; never rejects. */
  readonly ended: Promise<void>
  readonly #box: DeadLetterBox
  readonly #clock: Clock
  readonly #aborting = new AbortController()
  #savedMs = Number.NEGATIVE_INFINITY

  constructor(record: ReplayRecord, box: DeadLetterBox, clock: Clock) {
    this.record = record
    this.#box = box
    this.#clock = clock
    this.ended = this.#run()
  }

  abort(): void {
    this.#aborting.abort()
  }

  async #run(): Promise<void> {
    try {
      this.record.state = 'running'
      this.record.problem = undefined
      await this.#save()
      const isComplete = await this.#replayAll()
      this.record.state = isComplete ? 'done' : 'aborted'
    } catch (error) {
      this.record.state = 'failed'
      this.record.problem = error instanceof TelemetryError ? error.message : messageOf(error)
    }
    // The record says `running` when this fails, too, and is stale soon.
    await this.#save().catch(() => {})
  }

  /** @returns false: it was aborted */
  async #replayAll(): Promise<boolean> {
    const { record } = this
    const startMs = this.#clock.monotonicMs()
    const replayedBefore = record.counts.replayed
    const { signal } = this.#aborting
    while (record.counts.replayed < (record.limit ?? Number.POSITIVE_INFINITY)) {
      if (signal.aborted) return false
      const isMore = await this.#step()
      if (!isMore) return true
      if (this.#clock.monotonicMs() - this.#savedMs >= SAVE_EVERY_MS) {
        await this.#save()
        if (await this.#isAbortedElsewhere()) return false
      }
      const dueMs = startMs + ((record.counts.replayed - replayedBefore) / record.ratePerSecond) * 1000
      await pause(Math.max(0, dueMs - this.#clock.monotonicMs()), signal)
    }
    return true
  }

  /** @returns whether there may be more */
  async #step(): Promise<boolean> {
    const { record } = this
    const { filter, cursor, ratePerSecond, limit, counts } = record
    const most = Math.max(1, Math.min(MAX_STEP, Math.round(ratePerSecond / STEPS_PER_SECOND)))
    const left = (limit ?? Number.POSITIVE_INFINITY) - counts.replayed
    const page = await this.#box.page({ filter, order: 'oldest-first', cursor, limit: Math.min(most, left) })
    const ids = page.letters.map(({ id }) => id)
    const outcomes = ids.length > 0 ? await this.#box.replay(ids, record.maxGeneration) : []
    for (const outcome of outcomes) counts[outcome]++
    record.cursor = page.cursor
    return page.cursor !== undefined
  }

  async #isAbortedElsewhere(): Promise<boolean> {
    return (await this.#box.readNotes()).has(abortNoteName(this.record.id))
  }

  async #save(): Promise<void> {
    this.#savedMs = this.#clock.monotonicMs()
    this.record.savedAtMs = Math.round(this.#clock.nowUs() / 1000)
    await this.#box.writeNote(noteName(this.record.id), JSON.stringify(this.record))
  }
}
