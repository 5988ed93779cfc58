/** The contract of a device driver: the only file, with the core, that a driver imports from the hub. */

import type { Quality } from '#core/model/quality'
import type { Clock } from '#core/time/clock'

/** Where one device's readings go. Thread: the hub's main thread. */
export interface SampleSink {
  /**
   * Interns a channel of this device; ask once and keep the id.
   *
   * @param channel at most 64 characters
   * @param unit at most 32 characters, may be empty
   * @returns the series id, or `undefined` when the hub's limit of series is reached (counted there)
   */
  series(channel: string, unit: string): number | undefined
  /**
   * Offers one reading: the values of some series at one instant. All of it is taken, or nothing.
   *
   * Values that are not finite, and instants outside 1990..2100, are refused one by one with a counted reason.
   * Cost: a few dozen ns per value; no allocation.
   *
   * @param takenAtUs time of the bus read by {@link DriverContext.clock}, integer microseconds
   * @param series ids from {@link series}
   * @param values in each series' unit, as many as `series`
   * @param raw the reading's bytes as the bus gave them, at most `MAX_RAW_BYTES`
   * @param isRecorded `takenAtUs` is the source's own time (a recording, a time column, GPS): the hub never corrects it.
   *   Absent: it was read from {@link DriverContext.clock}, and follows when the hub learns a better time
   * @returns `false` only when the ring is full and the device's overflow policy is `slow-driver`: nothing was taken,
   *   offer it again after {@link room}. With `refuse-newest` a refused reading is counted and `true` returned.
   */
  reading(
    takenAtUs: number,
    series: ArrayLike<number>,
    values: ArrayLike<number>,
    quality?: Quality,
    raw?: Uint8Array,
    isRecorded?: boolean,
  ): boolean
  /** Resolves when the ring has room again. */
  room(): Promise<void>
  /**
   * Counts input that gave no reading, e.g. `line_too_long`, `line_unparsable`, `value_not_a_number`.
   *
   * @param reason snake_case, of a small fixed set (it becomes a metric label)
   * @param detail for the log, which limits its rate
   */
  reject(reason: string, detail?: string): void
}

export interface DriverContext {
  readonly device: string
  readonly sink: SampleSink
  /** Its wall time is that of the hub's start, and on from there: it never steps. The hub corrects stamps later. */
  readonly clock: Clock
  /** Time between readings of a device that does not say it; the gateway's `sampling_interval_ms`. Milliseconds. */
  readonly everyMs: number
}

/**
 * One device on its bus. `open`, then `run`, then `close`; the same object may be opened again afterwards.
 * The device's state machine calls one at a time.
 */
export interface Driver {
  /**
   * Takes the bus, and makes sure of the device where it can be asked.
   *
   * @param signal aborts when the device is being stopped: a long open may end early then, in any way
   * @throws TLM_BUS_UNAVAILABLE, TLM_PACKAGE_MISSING
   */
  open(signal?: AbortSignal): Promise<void>
  /**
   * Measures until `signal` aborts (resolves `'stopped'`) or the source has no more to give (`'ended'`).
   *
   * @throws TLM_BUS_UNAVAILABLE when the device is lost
   */
  run(signal: AbortSignal): Promise<'stopped' | 'ended'>
  /** Releases the bus; safe after a failed `open`. */
  close(): Promise<void>
  /**
   * After a loss: resolves when something is there that was not at the last try, so that the next one need not wait;
   * also when `signal` aborts. Never rejects. Absent: nothing tells that.
   */
  whenBack?(signal: AbortSignal): Promise<void>
}
