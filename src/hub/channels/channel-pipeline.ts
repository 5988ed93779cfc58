import { QUALITY, type Quality } from '#core/model/quality'
import type { Channel } from '../drivers/contract/manifest.js'
import { type Calibration, createCalibration } from './calibration.js'
import type { ChannelCounts } from './channel-counts.js'
import {
  ArithmeticFilter,
  type ChannelFilter,
  ClampFilter,
  RateLimitFilter,
  SkipFirstFilter,
} from './channel-filter.js'
import type { ChannelSettings, FilterSettings } from './channel-settings.js'
import { Deadband } from './deadband.js'
import { graver, isSuspect } from './suspect.js'
import type { Conversion } from './units.js'
import { type SuspectReason, ValueChecks } from './value-checks.js'
import { AverageFilter, MedianFilter } from './window-filters.js'

/** A deadband without one says so often that its channel lives. */
export const DEFAULT_HEARTBEAT_MS = 60_000

export interface ChannelPipelineOptions {
  settings: ChannelSettings
  /** What the driver's manifest says of the channel; absent: nothing. */
  declared: Pick<Channel, 'range' | 'resolution' | 'sentinels'> | undefined
  /** From the driver's unit to the channel's. */
  conversion: Conversion
  /** The calibration is of another sensor than the one that is connected, or it is not known which that is. */
  isForeign: boolean
  /** A channel without a new value for so long is stale; absent: never. */
  staleAfterMs: number | undefined
  counts: ChannelCounts
}

/**
 * What happens to the values of one channel, in this order: unit, calibration, checks (sentinel, range, rate, stuck),
 * filters in their order, deadband. Values must come in the order in which they were taken.
 *
 * Thread: the hub's main thread. Cost: no allocation; `bench/micro/channels` measures it.
 */
export class ChannelPipeline {
  readonly counts: ChannelCounts
  readonly staleAfterMs: number | undefined
  readonly #conversion: Conversion
  readonly #calibration: Calibration | undefined
  /** Of every value, before anything is checked. */
  readonly #quality: Quality
  readonly #checks: ValueChecks
  readonly #filters: readonly ChannelFilter[]
  readonly #deadband: Deadband | undefined
  readonly #isEnabled: boolean
  #arrivedMs: number | undefined
  #isStale = false
  /** What the last {@link take} let out. */
  value = Number.NaN
  quality: Quality = QUALITY.good

  constructor({ settings, declared, conversion, isForeign, staleAfterMs, counts }: ChannelPipelineOptions) {
    const { calibration, deadband, heartbeatMs = DEFAULT_HEARTBEAT_MS, filters = [], enabled = true } = settings
    this.counts = counts
    this.staleAfterMs = staleAfterMs
    this.#conversion = conversion
    this.#calibration = calibration === undefined || isForeign ? undefined : createCalibration(calibration)
    this.#quality = isForeign ? QUALITY.uncalibrated : QUALITY.good
    this.#checks = new ValueChecks(declared ?? {}, settings, (reason) => this.#suspect(reason))
    this.#filters = filters.map(createFilter)
    this.#deadband = deadband === undefined ? undefined : new Deadband(deadband, heartbeatMs)
    this.#isEnabled = enabled
  }

  /**
   * Takes a finite value.
   *
   * @param nowMs monotonic, for staleness
   * @returns whether one comes out: then it is in {@link value} and {@link quality}
   */
  take(decoded: number, takenAtUs: number, driverQuality: Quality, nowMs: number): boolean {
    if (!this.#isEnabled) return this.#suppressed('disabled')
    this.#arrivedMs = nowMs
    this.#isStale = false
    let value = decoded * this.#conversion.gain + this.#conversion.offset
    if (this.#calibration !== undefined) value = this.#calibration(value)
    const found = this.#checks.judge(decoded, value, takenAtUs)
    const quality = graver(graver(driverQuality, this.#quality), found)
    if (!isSuspect(quality)) this.#checks.trusted(value, takenAtUs)
    for (const filter of this.#filters) {
      const result = filter.apply(value, takenAtUs, quality)
      if (result === undefined) return this.#suppressed(filter.reason)
      value = result
    }
    this.counts.newestQuality = quality
    // A calibration beyond its reach: no number that anybody could use.
    if (value - value !== 0) return this.#suppressed('filter')
    if (this.#deadband?.lets(value, takenAtUs, quality) === false) return this.#suppressed('deadband')
    this.value = value
    this.quality = quality
    return true
  }

  /**
   * Whether a channel that had a value has had none for too long. Once: then not before it has had another one. The next
   * value passes the deadband.
   */
  becomesStale(nowMs: number): boolean {
    if (this.staleAfterMs === undefined || this.#isStale || this.#arrivedMs === undefined) return false
    if (nowMs - this.#arrivedMs < this.staleAfterMs || Number.isNaN(this.value)) return false
    this.#isStale = true
    this.counts.newestQuality = QUALITY.stale
    this.#deadband?.reset()
    this.#suspect('stale')
    return true
  }

  /** The device is at rest on purpose: its silence is none. */
  rest(): void {
    this.#arrivedMs = undefined
  }

  /** The device was opened anew: filters and checks forget what it said before. */
  restart(): void {
    this.#checks.reset()
    this.#deadband?.reset()
    for (const filter of this.#filters) filter.reset()
  }

  #suspect(reason: SuspectReason): void {
    this.counts.suspect[reason]++
  }

  #suppressed(reason: ChannelFilter['reason'] | 'deadband' | 'disabled'): false {
    this.counts.suppressed[reason]++
    return false
  }
}

function createFilter(settings: FilterSettings): ChannelFilter {
  const { offset, linear, median, average, clamp, skip_first, rate_limit } = settings
  if (offset !== undefined) return new ArithmeticFilter((value) => value + offset)
  if (linear !== undefined) return new ArithmeticFilter(createCalibration(linear))
  if (median !== undefined) return new MedianFilter(median)
  if (average !== undefined) return new AverageFilter(average)
  if (clamp !== undefined) return new ClampFilter(clamp[0], clamp[1])
  if (skip_first !== undefined) return new SkipFirstFilter(skip_first)
  return new RateLimitFilter(rate_limit!)
}
