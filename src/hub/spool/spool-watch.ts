import { statfs } from 'node:fs/promises'
import { droppedOf, type SpoolCounts, spoolImbalanceOf } from '#core/journal/spool-counts'
import { BREAKER_STATES, type BreakerState } from '#core/policy/circuit-breaker'
import type { Clock } from '#core/time/clock'
import type { Logger } from '../../host/logger.js'
import type { SpoolSettings } from './spool-settings.js'
import { durationText, holdsText, SpoolSizing, sizeText, timeToFullS } from './spool-sizing.js'

const LOOK_INTERVAL_MS = 1000
/** Time to full is said again when it is half of what was said. */
const SHRUNK = 0.5

/** What the hub says of its spool. */
export interface SpoolFigures {
  /** Held: not delivered, not dropped. */
  samples: number
  batches: number
  segments: number
  sizeBytes: number
  limitBytes: number
  /** Unix time of the oldest batch, seconds; `undefined`: the spool is empty. */
  oldestAtSeconds: number | undefined
  /** `undefined` while nothing is measured. */
  timeToFullSeconds: number | undefined
  bytesPerSecond: number | undefined
  diskFreeBytes: number | undefined
  counts: SpoolCounts
  /** All of this in a line, for people. */
  summary: string
}

export interface SpoolWatchOptions {
  settings: SpoolSettings
  counts: () => SpoolCounts
  clock: Clock
  log: Logger
}

/** Measures once a second how fast the spool would fill, and says how long it lasts. Thread: main. */
export class SpoolWatch {
  readonly #options: SpoolWatchOptions
  readonly #sizing = new SpoolSizing()
  #timer: NodeJS.Timeout | undefined
  #diskFreeBytes: number | undefined
  /** Seconds that the empty spool was said to last. */
  #saidS = Number.POSITIVE_INFINITY
  /** Of the outage that goes on: what was delivered before it, and since when. */
  #outage: { replayed: number; dropped: number; sinceMs: number } | undefined
  #isRecoveryTold = false
  #imbalance = 0

  constructor(options: SpoolWatchOptions) {
    this.#options = options
  }

  start(): void {
    this.#timer ??= setInterval(() => this.look(), LOOK_INTERVAL_MS).unref()
    this.look()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  look(): void {
    const { counts, clock, settings, log } = this.#options
    const now = counts()
    this.#sizing.look(clock.monotonicMs(), now.offered, now.offeredBytes)
    void statfs(settings.directory).then(
      ({ bavail, bsize }) => {
        this.#diskFreeBytes = bavail * bsize
      },
      () => {
        this.#diskFreeBytes = undefined
      },
    )
    this.#tellSizing()
    this.#tellOutage(now)
    const imbalance = spoolImbalanceOf(now)
    if (imbalance !== this.#imbalance && imbalance !== 0) {
      log.error({ imbalance, counts: now }, 'the spool does not add up: the hub has lost count of samples')
    }
    this.#imbalance = imbalance
  }

  figures(): SpoolFigures {
    const { settings, counts } = this.#options
    const now = counts()
    const { rate } = this.#sizing
    return {
      samples: now.held,
      batches: now.heldBatches,
      segments: now.segments,
      sizeBytes: now.sizeBytes,
      limitBytes: settings.maxBytes,
      oldestAtSeconds: now.oldestAtUs > 0 ? now.oldestAtUs / 1e6 : undefined,
      timeToFullSeconds: rate && timeToFullS(rate, now.sizeBytes, settings.maxBytes),
      bytesPerSecond: rate?.bytesPerSecond,
      diskFreeBytes: this.#diskFreeBytes,
      counts: now,
      summary: this.#summary(now),
    }
  }

  #summary(now: SpoolCounts): string {
    const { maxBytes } = this.#options.settings
    const { rate } = this.#sizing
    const size = rate === undefined ? `${sizeText(maxBytes)}, no rate measured yet` : holdsText(rate, maxBytes)
    if (now.held === 0) return `empty; ${size}`
    const oldest = new Date(now.oldestAtUs / 1000).toISOString()
    const fullIn = rate === undefined ? '' : `, full in ${durationText(timeToFullS(rate, now.sizeBytes, maxBytes))}`
    return `${now.held} samples safe in ${sizeText(now.sizeBytes)}, oldest ${oldest}${fullIn}; ${size}`
  }

  #tellSizing(): void {
    const { rate } = this.#sizing
    if (rate === undefined) return
    const { settings, log } = this.#options
    const lastsS = settings.maxBytes / rate.bytesPerSecond
    if (lastsS > this.#saidS * SHRUNK) return
    this.#saidS = lastsS
    log.info({ directory: settings.directory }, `spool: ${holdsText(rate, settings.maxBytes)}`)
  }

  #tellOutage(now: SpoolCounts): void {
    const { clock, log } = this.#options
    const nowMs = clock.monotonicMs()
    if (!this.#isRecoveryTold && now.isOpened > 0) {
      this.#isRecoveryTold = true
      if (now.recovered > 0 || now.corruptRecords > 0) {
        const fields = { samples: now.recovered, corruptRecords: now.corruptRecords }
        log.warn(fields, 'the spool holds batches of an earlier run: they are delivered first')
      }
    }
    if (now.held > 0) {
      const before = { replayed: now.replayed, dropped: droppedOf(now), sinceMs: nowMs }
      this.#outage ??= before
    } else if (this.#outage !== undefined) {
      const { replayed, dropped, sinceMs } = this.#outage
      this.#outage = undefined
      const fields = { samples: now.replayed - replayed, dropped: droppedOf(now) - dropped }
      log.info(fields, `the spool is empty again after ${durationText((nowMs - sinceMs) / 1000)}`)
    }
  }
}

/** The gravest state of several breakers. */
export function gravestBreaker(states: readonly (BreakerState | undefined)[]): BreakerState {
  const order: readonly BreakerState[] = ['open', 'half-open', ...BREAKER_STATES]
  return order.find((state) => states.includes(state)) ?? 'closed'
}
