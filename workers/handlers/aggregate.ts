import type { AggregateOptions } from '#core/options/handlers/aggregate-options'
import type { RowReader, RowWriter } from '../state/row-bytes.js'
import type { ShardMemory } from '../state/shard-memory.js'
import type { ShardState } from '../state/shard-state.js'
import {
  addToWindow,
  COUNT,
  FIRINGS,
  FIRST,
  fire,
  LAST,
  MAX,
  MEAN,
  MIN,
  openWindow,
  placeOf,
  SQUARES,
  START_AT,
  UNSAID,
  WINDOW_WORDS,
  windowNumber,
} from './event-window.js'
import { findingOf, type RunOutput } from './run-output.js'
import { fingerprintOf, type SeriesHandler } from './series-handler.js'
import type { SeriesRuns } from './series-runs.js'

/** ERA of the series when it was last looked at. */
const SEEN_ERA = 0
/** Newest event time of the series in this era. */
const NEWEST_AT = 1
/** Then per window size: the watermark at which the next window fires or goes, and the windows. */
const HEAD_WORDS = 2

interface WindowSize {
  sizeUs: number
  /** Most windows open at once. They are consecutive, so each has a place of its own: its number modulo this. */
  places: number
  /** First word of this size, from the handler's first word. */
  offset: number
}

/**
 * `telemetry.aggregate`: tumbling windows in event time. A window holds samples of `[start, start + size)`, starts being
 * multiples of the size since the Unix epoch. The series' watermark is its newest event time less `outOfOrdernessMs`. When
 * the watermark reaches the end of a window it fires with revision 0; a sample that comes later, until the watermark
 * reaches end + `allowedLatenessMs`, fires it again with the next revision. Then the window is gone, and samples for it are
 * refused as `late` (once per sample, when at least one window size refuses it).
 *
 * Several firings of a window by one run of samples give one finding, the last one: the sink would keep no other.
 * When the clock of a device was set (see `SeriesRuns`), open windows fire as they are and event time starts anew.
 */
export class AggregateHandler implements SeriesHandler {
  readonly type = 'telemetry.aggregate'
  readonly words: number
  readonly fingerprint: number
  readonly offset: number
  readonly #sizes: readonly WindowSize[]
  readonly #outOfOrdernessUs: number
  readonly #latenessUs: number
  /** 1 for a sample of the run that some window size refused. */
  #late = new Uint8Array(1024)

  /** @param offset of its first word in a record */
  constructor({ sizesMs, outOfOrdernessMs, allowedLatenessMs }: AggregateOptions, offset: number) {
    this.offset = offset
    this.#outOfOrdernessUs = Math.round(outOfOrdernessMs * 1000)
    this.#latenessUs = Math.round(allowedLatenessMs * 1000)
    const patienceUs = this.#outOfOrdernessUs + this.#latenessUs
    let words = HEAD_WORDS
    this.#sizes = sizesMs.map((sizeMs) => {
      const sizeUs = sizeMs * 1000
      const size = { sizeUs, places: Math.floor(patienceUs / sizeUs) + 2, offset: words }
      words += 1 + size.places * WINDOW_WORDS
      return size
    })
    this.words = words
    this.fingerprint = fingerprintOf(['aggregate', 1, sizesMs, this.#outOfOrdernessUs, this.#latenessUs])
  }

  initialise(memory: ShardMemory, slot: number): void {
    const at = memory.recordAt(slot) + this.offset
    memory.records[at + NEWEST_AT] = Number.NEGATIVE_INFINITY
    for (const { offset } of this.#sizes) memory.records[at + offset] = Number.POSITIVE_INFINITY
  }

  apply(state: ShardState, runs: SeriesRuns, run: number, output: RunOutput): void {
    const { records } = state.memory
    const slot = runs.slots[run]
    const at = state.memory.recordAt(slot) + this.offset
    if (records[at + SEEN_ERA] !== runs.eras[run]) this.#startEra(state, slot, runs.eras[run], output)
    const newestAtUs = records[at + NEWEST_AT]
    let late = 0
    for (const size of this.#sizes) late += this.#addToWindows(state, runs, run, size, newestAtUs, output)
    if (late === 0) return
    output.reject('late', late)
    this.#late.fill(0)
  }

  /** Open windows only; the rest follows from them. */
  save(memory: ShardMemory, slot: number, row: RowWriter): void {
    const { records } = memory
    const at = memory.recordAt(slot) + this.offset
    row.integer(records[at + SEEN_ERA])
    row.real(records[at + NEWEST_AT])
    for (const size of this.#sizes) {
      const open = windowsOf(size, at).filter((window) => records[window + COUNT] > 0)
      row.integer(open.length)
      for (const window of open) row.reals(records, window, UNSAID)
    }
  }

  load(memory: ShardMemory, slot: number, row: RowReader): boolean {
    const { records } = memory
    const at = memory.recordAt(slot) + this.offset
    records[at + SEEN_ERA] = row.integer()
    records[at + NEWEST_AT] = row.real()
    const window = new Float64Array(WINDOW_WORDS)
    for (const size of this.#sizes) {
      for (let open = row.integer(); open > 0; open--) {
        row.reals(window, 0, UNSAID)
        const number = window[START_AT] / size.sizeUs
        if (!Number.isSafeInteger(number)) throw new RangeError(`a window that starts at ${window[START_AT]}`)
        records.set(window, at + size.offset + 1 + placeOf(number, size.places) * WINDOW_WORDS)
      }
      records[at + size.offset] = this.#nextDue(records, at, size)
    }
    return true
  }

  /** Takes in a run for one window size; returns how many samples it is the first to refuse. */
  #addToWindows(
    state: ShardState,
    runs: SeriesRuns,
    run: number,
    size: WindowSize,
    newestBefore: number,
    output: RunOutput,
  ): number {
    const { records } = state.memory
    const slot = runs.slots[run]
    const at = state.memory.recordAt(slot) + this.offset
    const { sizeUs } = size
    const { values, takenAtUs } = runs
    const from = runs.starts[run]
    const to = runs.ends[run]
    let newestAtUs = newestBefore
    let due = records[at + size.offset]
    let startUs = Number.POSITIVE_INFINITY
    let window = 0
    let fired = false
    let late = 0
    for (let i = from; i < to; i++) {
      const atUs = takenAtUs[i]
      if (atUs > newestAtUs) {
        newestAtUs = atUs
        if (atUs - this.#outOfOrdernessUs >= due) {
          due = this.#advance(state, slot, size, atUs - this.#outOfOrdernessUs, output)
          startUs = Number.POSITIVE_INFINITY
          fired = true
        }
      }
      if (!(atUs >= startUs && atUs < startUs + sizeUs)) {
        const number = windowNumber(atUs, sizeUs)
        startUs = number * sizeUs
        if (startUs + sizeUs + this.#latenessUs <= newestAtUs - this.#outOfOrdernessUs) {
          late += this.#markLate(i - from)
          startUs = Number.POSITIVE_INFINITY
          continue
        }
        window = at + size.offset + 1 + placeOf(number, size.places) * WINDOW_WORDS
        if (records[window + COUNT] === 0) {
          openWindow(records, window, startUs)
          due = Math.min(due, startUs + sizeUs)
        }
      }
      addToWindow(records, window, values[i], atUs)
      if (startUs + sizeUs <= newestAtUs - this.#outOfOrdernessUs) {
        fire(records, window)
        fired = true
      }
    }
    records[at + NEWEST_AT] = newestAtUs
    records[at + size.offset] = due
    if (fired) {
      for (const place of windowsOf(size, at)) {
        if (records[place + COUNT] > 0) this.#say(state, slot, size, place, output)
      }
    }
    return late
  }

  /** Fires and closes what the watermark has reached; returns the watermark at which to come again. */
  #advance(state: ShardState, slot: number, size: WindowSize, watermarkUs: number, output: RunOutput): number {
    const { records } = state.memory
    const at = state.memory.recordAt(slot) + this.offset
    for (const window of windowsOf(size, at)) {
      if (records[window + COUNT] === 0) continue
      const endUs = records[window + START_AT] + size.sizeUs
      if (endUs <= watermarkUs && records[window + FIRINGS] === 0) fire(records, window)
      if (endUs + this.#latenessUs <= watermarkUs) {
        this.#say(state, slot, size, window, output)
        records[window + COUNT] = 0
      }
    }
    return this.#nextDue(records, at, size)
  }

  #startEra(state: ShardState, slot: number, era: number, output: RunOutput): void {
    const { records } = state.memory
    const at = state.memory.recordAt(slot) + this.offset
    for (const size of this.#sizes) {
      for (const window of windowsOf(size, at)) {
        if (records[window + COUNT] === 0) continue
        if (records[window + FIRINGS] === 0) fire(records, window)
        this.#say(state, slot, size, window, output)
        records[window + COUNT] = 0
      }
      records[at + size.offset] = Number.POSITIVE_INFINITY
    }
    records[at + NEWEST_AT] = Number.NEGATIVE_INFINITY
    records[at + SEEN_ERA] = era
  }

  #nextDue(records: Float64Array, at: number, size: WindowSize): number {
    let due = Number.POSITIVE_INFINITY
    for (const window of windowsOf(size, at)) {
      if (records[window + COUNT] === 0) continue
      const endUs = records[window + START_AT] + size.sizeUs
      due = Math.min(due, records[window + FIRINGS] === 0 ? endUs : endUs + this.#latenessUs)
    }
    return due
  }

  /** Emits the last firing of a window, when no finding says it yet. */
  #say(state: ShardState, slot: number, { sizeUs }: WindowSize, window: number, output: RunOutput): void {
    const { records } = state.memory
    if (records[window + UNSAID] === 0) return
    records[window + UNSAID] = 0
    const series = state.series(slot)
    const count = records[window + COUNT]
    const startUs = records[window + START_AT]
    const draft = {
      key: `aggregate/${series.name}/${sizeUs}/${startUs}`,
      revision: records[window + FIRINGS] - 1,
      handler: this.type,
      atUs: startUs + sizeUs,
      body: {
        unit: series.unit,
        startUs,
        endUs: startUs + sizeUs,
        count,
        mean: records[window + MEAN],
        standardDeviation: count > 1 ? Math.sqrt(records[window + SQUARES] / (count - 1)) : null,
        min: records[window + MIN],
        max: records[window + MAX],
        first: records[window + FIRST],
        last: records[window + LAST],
      },
    }
    output.add(findingOf(draft, series, output.batch))
  }

  /** @param sample within its run @returns 1 when no other window size has refused it before */
  #markLate(sample: number): number {
    if (sample >= this.#late.length) {
      const larger = new Uint8Array(sample * 2)
      larger.set(this.#late)
      this.#late = larger
    }
    if (this.#late[sample] === 1) return 0
    this.#late[sample] = 1
    return 1
  }
}

function windowsOf({ offset, places }: WindowSize, at: number): number[] {
  return Array.from({ length: places }, (_, place) => at + offset + 1 + place * WINDOW_WORDS)
}
