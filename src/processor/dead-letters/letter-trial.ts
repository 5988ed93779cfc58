import { messageOf, TelemetryError } from '#core/errors/telemetry-error'
import type { Clock } from '#core/time/clock'
import type { DeadLetter, DeadLetterBox, DeadLetterFilter } from '#core/transport/dead-letters'
import { fingerprintOf } from '#core/transport/dead-letters/fingerprint'
import type { Logger } from '../../host/logger.js'
import { deathOf } from '../consume/death-trial.js'
import { deadSampleOf, verdictOn } from '../consume/entry-verdict.js'
import { packBodies } from '../consume/pack-bodies.js'
import { type HandlerPool, ThreadPool, type ThreadPoolOptions } from '../dispatch/handler-pool.js'

/** Bounds of one trial: what is left is not tried. */
const MAX_LETTERS = 1000
const MAX_MS = 10_000
/** Each has cost a thread. */
const MAX_DEATHS = 10
const PAGE = 20

/** What letters would die of, were they replayed now. */
export interface TrialFailure {
  fingerprint: string
  class: string
  message: string
  letters: number
  /** Id of the first of them. */
  example: string
}

export interface TrialReport {
  tried: number
  /** They would be processed. */
  passed: number
  /** All but some of their samples would be processed. */
  partly: number
  failed: number
  /** Their bodies are not kept. */
  bodiless: number
  /** Whether these are all that the filter finds, within the bounds of a trial. */
  isComplete: boolean
  /** The most frequent first. Letters that pass in part are among them, each by its first sample. */
  failures: TrialFailure[]
}

/**
 * Runs letters through the configured handlers as they are on disk now, in a thread of its own that ends with it, the oldest
 * first: nothing is replayed, settled or kept. Each letter is run alone, on no state, as on its last attempt. What a user's
 * handler does beside returning findings, it does.
 */
export class LetterTrials {
  readonly #options: ThreadPoolOptions
  readonly #clock: Clock
  readonly #log: Logger
  #isRunning = false
  /** Ends the one under way. */
  #pool: ThreadPool | undefined
  #isClosed = false

  constructor(options: Omit<ThreadPoolOptions, 'threads'>, clock: Clock, log: Logger) {
    this.#options = { ...options, threads: 1 }
    this.#clock = clock
    this.#log = log
  }

  /**
   * @returns `undefined`: another one is under way, or the processor stops
   * @throws TLM_STREAM_UNAVAILABLE; TLM_OPTIONS_INVALID a handler cannot be loaded
   */
  async run(box: DeadLetterBox, filter: DeadLetterFilter): Promise<TrialReport | undefined> {
    if (this.#isRunning || this.#isClosed) return undefined
    this.#isRunning = true
    const pool = new ThreadPool(this.#options, this.#clock, this.#log)
    this.#pool = pool
    try {
      await pool.check()
      return await this.#tryAll(box, filter, pool)
    } finally {
      this.#isRunning = false
      await pool.close()
    }
  }

  /** Ends the trial under way; there is none any more. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#pool?.close()
  }

  async #tryAll(box: DeadLetterBox, filter: DeadLetterFilter, pool: ThreadPool): Promise<TrialReport> {
    const report = { tried: 0, passed: 0, partly: 0, failed: 0, bodiless: 0, isComplete: false }
    const failures = new Map<string, TrialFailure>()
    const untilMs = this.#clock.monotonicMs() + MAX_MS
    const end = (isComplete: boolean): TrialReport => {
      const sorted = [...failures.values()].sort((a, b) => b.letters - a.letters)
      return { ...report, isComplete, failures: sorted }
    }
    let cursor: string | undefined
    do {
      const page = await box.page({ filter, order: 'oldest-first', cursor, limit: PAGE })
      for (const { id } of page.letters) {
        const isEnough = report.tried >= MAX_LETTERS || pool.counters.deaths + pool.counters.overdue >= MAX_DEATHS
        if (this.#isClosed || isEnough || this.#clock.monotonicMs() >= untilMs) return end(false)
        const found = await box.get(id)
        if (found === undefined) continue // it went meanwhile
        if (found.body.byteLength === 0) {
          report.bodiless++
          continue
        }
        report.tried++
        const outcome = await tryLetter(found.letter, found.body, pool)
        report[outcome.kind]++
        if (outcome.kind !== 'passed') addFailure(failures, id, outcome.class, outcome.message)
      }
      cursor = page.cursor
      if (cursor !== undefined && this.#clock.monotonicMs() >= untilMs) return end(false)
    } while (cursor !== undefined)
    return end(true)
  }
}

type Outcome = { kind: 'passed' } | { kind: 'partly' | 'failed'; class: string; message: string }

async function tryLetter(letter: DeadLetter, body: Uint8Array, pool: HandlerPool): Promise<Outcome> {
  const { id, shard, priority = 1, correlationId, handler, samples, firstTakenAtUs = 0 } = letter
  const entry = { id, priority, correlationId, handler, samples, firstTakenAtUs, body, attempts: 0, deliveryCount: 1 }
  const { places, bodies } = packBodies([entry])
  const entries = places.map((place) => ({ ...place, correlationId, handler, isolate: true }))
  try {
    const reply = await pool.run({ shard, entries, bodies, rows: new Map(), checkpoint: false })
    const [{ error, dead = [] }] = reply.results
    if (error !== undefined) {
      const verdict = verdictOn(entry, error, { maxRetries: 0, random: () => 0, pauseMs: never, retryAfterMs: () => 0 })
      const kind = verdict.kind === 'dead-letter' ? verdict.deadLetter.class : 'newer-version'
      return { kind: 'failed', class: kind, message: error.message }
    }
    const [sample] = dead
    if (sample === undefined) return { kind: 'passed' }
    const message = sample.error?.message ?? 'it was left out'
    const order = deadSampleOf(entry, sample, { kind: 'handler-error', message })
    return { kind: 'partly', class: order.class, message: order.message }
  } catch (error) {
    // The handlers could be loaded a moment ago.
    if (error instanceof TelemetryError && error.code !== 'TLM_HANDLER_FAILED') throw error
    return { kind: 'failed', class: deathOf(error).kind, message: messageOf(error) }
  }
}

const never = () => undefined

function addFailure(failures: Map<string, TrialFailure>, id: string, kind: string, message: string): void {
  const fingerprint = fingerprintOf(kind, message)
  const known = failures.get(fingerprint)
  if (known === undefined) failures.set(fingerprint, { fingerprint, class: kind, message, letters: 1, example: id })
  else known.letters++
}
