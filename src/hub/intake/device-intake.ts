import type { Priority } from '#core/model/priority'
import type { Quality } from '#core/model/quality'
import { EARLIEST_WALL_US, isHubTime, LATEST_WALL_US } from '#core/time/hub-time'
import type { SampleSink } from '../drivers/driver.js'
import type { LatestSample } from './latest-sample.js'
import { RejectCounts } from './reject-counts.js'
import type { RingLane } from './ring-lane.js'
import type { SeriesRegistry } from './series-registry.js'
import type { SheddingLadder } from './shedding-ladder.js'

export type OverflowPolicy = 'refuse-newest' | 'slow-driver'

export interface DeviceIntakeOptions {
  name: string
  priority: Priority
  overflow: OverflowPolicy
  /** By priority of the reading. */
  lanes: readonly RingLane[]
  registry: SeriesRegistry
  latest: LatestSample
  ladder: SheddingLadder
  /** What the drivers' clock is ahead of hub time; absent: their stamps are wall time. Microseconds. */
  stampOriginUs?: number | undefined
  /** Hears every rejection, for the log, which limits its rate. */
  onReject: (device: string, reason: string, detail: string | undefined) => void
}

/**
 * What one device hands in: checked, numbered, counted and published into the device's rings. Readings are numbered
 * from 0 over the life of the hub, whether or not the ring had room: a number that is missing downstream was dropped.
 *
 * Thread: the hub's main thread.
 */
export class DeviceIntake implements SampleSink {
  readonly name: string
  /** Of readings that have none of their own. */
  readonly priority: Priority
  readonly #options: DeviceIntakeOptions
  readonly #lanes: readonly RingLane[]
  readonly #registry: SeriesRegistry
  readonly #latest: LatestSample
  readonly #ladder: SheddingLadder
  readonly #rejects = new RejectCounts()
  readonly #stampOriginUs: number | undefined
  #sequence = 0
  #accepted = 0
  #dropped = 0
  #thinned = 0
  #refusedByClass = 0
  #refusedSamples = 1
  #refusedLane: RingLane
  #isClosed = false
  /** Reused for readings with values that are refused. */
  #goodSeries: number[] = []
  #goodValues: number[] = []

  constructor(options: DeviceIntakeOptions) {
    this.name = options.name
    this.#options = options
    this.#lanes = options.lanes
    this.#refusedLane = options.lanes[options.priority]
    this.#registry = options.registry
    this.#latest = options.latest
    this.#ladder = options.ladder
    this.#stampOriginUs = options.stampOriginUs
    this.priority = options.priority
  }

  /** Samples taken from the driver, whether or not the ring had room. */
  get accepted(): number {
    return this.#accepted
  }

  /** Accepted samples that a full ring refused. */
  get dropped(): number {
    return this.#dropped
  }

  /** Accepted samples that were left out while the processors were behind. */
  get thinned(): number {
    return this.#thinned
  }

  /** Accepted samples of a class that was not taken while the processors were behind. */
  get refusedByClass(): number {
    return this.#refusedByClass
  }

  /** Input that gave no sample, by reason. */
  rejects(): [reason: string, count: number][] {
    return this.#rejects.entries()
  }

  /** Takes nothing any more: the rings are about to be drained for the last time. */
  close(): void {
    this.#isClosed = true
  }

  /** The ring for readings of the priority. */
  laneOf(priority: Priority): RingLane {
    return this.#lanes[priority]
  }

  series(channel: string, unit: string): number | undefined {
    const id = this.#registry.intern({ device: this.name, channel, unit })
    if (typeof id === 'number') return id
    this.reject(id, channel)
    return undefined
  }

  reading(
    takenAtUs: number,
    series: ArrayLike<number>,
    values: ArrayLike<number>,
    quality: Quality = 0,
    raw?: Uint8Array,
    isRecorded = false,
  ): boolean {
    return this.offer(takenAtUs, series, values, quality, this.priority, raw, isRecorded)
  }

  /** As {@link reading}, with a priority of the reading's own. */
  offer(
    takenAtUs: number,
    series: ArrayLike<number>,
    values: ArrayLike<number>,
    quality: Quality,
    priority: Priority,
    raw?: Uint8Array,
    isRecorded = false,
  ): boolean {
    const count = values.length
    if (this.#isClosed) {
      this.reject('hub_stopping', undefined, count)
      return true
    }
    const origin = isRecorded ? undefined : this.#stampOriginUs
    const stampUs = Math.round(origin === undefined ? takenAtUs : takenAtUs - origin)
    const isPossible = takenAtUs >= EARLIEST_WALL_US && takenAtUs < LATEST_WALL_US
    if (!isPossible || (origin !== undefined && !isHubTime(stampUs))) {
      this.reject('instant_out_of_range', String(takenAtUs), count)
      return true
    }
    if (!this.#ladder.takes(priority, this.#sequence)) return this.#shed(count, priority)
    const known = this.#registry.size
    for (let i = 0; i < count; i++) {
      const value = values[i]
      // Only finite numbers give 0.
      if (value - value !== 0 || !(series[i] < known))
        return this.#offerGood(takenAtUs, series, values, quality, priority, raw, isRecorded)
    }
    if (count === 0) return true
    const sequence = this.#sequence
    const lane = this.#lanes[priority]
    if (!lane.ring.tryPublishReading(stampUs, series, values, sequence, quality, priority, raw)) {
      return this.#refuse(count, lane)
    }
    this.#sequence = (sequence + 1) >>> 0
    this.#accepted += count
    this.#latest.set(series[count - 1], sequence, values[count - 1])
    return true
  }

  room(): Promise<void> {
    return this.#refusedLane.room(this.#refusedSamples)
  }

  reject(reason: string, detail?: string, count = 1): void {
    this.#rejects.add(reason, count)
    this.#options.onReject(this.name, reason, detail)
  }

  /** The reading without the values that are refused. */
  #offerGood(
    takenAtUs: number,
    series: ArrayLike<number>,
    values: ArrayLike<number>,
    quality: Quality,
    priority: Priority,
    raw: Uint8Array | undefined,
    isRecorded: boolean,
  ): boolean {
    this.#goodSeries.length = 0
    this.#goodValues.length = 0
    const notFinite: number[] = []
    const unknown: number[] = []
    for (let i = 0; i < values.length; i++) {
      if (!(series[i] < this.#registry.size)) unknown.push(series[i])
      else if (!Number.isFinite(values[i])) notFinite.push(values[i])
      else {
        this.#goodSeries.push(series[i])
        this.#goodValues.push(values[i])
      }
    }
    const isTaken = this.offer(takenAtUs, this.#goodSeries, this.#goodValues, quality, priority, raw, isRecorded)
    // A reading that must be offered again is counted then.
    if (!isTaken) return false
    if (notFinite.length > 0) this.reject('value_not_finite', String(notFinite[0]), notFinite.length)
    if (unknown.length > 0) this.reject('series_unknown', String(unknown[0]), unknown.length)
    return true
  }

  #shed(count: number, priority: Priority): boolean {
    const isThinned = this.#ladder.step(priority) === 'thin'
    this.#refusedSamples = count
    this.#refusedLane = this.#lanes[priority]
    // A driver that can wait loses nothing by a class that is refused for a time.
    if (!isThinned && this.#options.overflow === 'slow-driver') return false
    this.#sequence = (this.#sequence + 1) >>> 0
    this.#accepted += count
    if (isThinned) this.#thinned += count
    else this.#refusedByClass += count
    return true
  }

  #refuse(count: number, lane: RingLane): boolean {
    this.#refusedSamples = count
    this.#refusedLane = lane
    if (this.#options.overflow === 'slow-driver') return false
    this.#sequence = (this.#sequence + 1) >>> 0
    this.#accepted += count
    this.#dropped += count
    return true
  }
}
