import type { DecodedBatch } from '#core/model/batch'
import { QUALITY, QUALITY_NAMES } from '#core/model/quality'
import { CLOCK_AT, ERA, type ShardState, STRAY_AT, STRAYS } from '../state/shard-state.js'
import type { RunOutput } from './run-output.js'

/**
 * A sample further than this from the newest one of its series, either way, is a stray: more likely a clock gone wrong
 * than a sensor silent for so long. 31 days.
 */
export const MAX_CLOCK_STEP_US = 31 * 86_400_000_000

/** So many strays in a row that agree with each other are believed: the device's clock was set. */
export const STRAYS_BELIEVED = 10

/** Qualities whose values say nothing of the measured thing; `telemetry.store` keeps them all the same. */
const UNTRUSTED: readonly number[] = [QUALITY.stale, QUALITY.range, QUALITY.stuck, QUALITY.sentinel, QUALITY.warming]

/** 1 for a quality that analyses take in. */
const TRUSTED = Uint8Array.from({ length: 256 }, (_, quality) =>
  quality < QUALITY_NAMES.length && !UNTRUSTED.includes(quality) ? 1 : 0,
)

/**
 * The samples of a batch that analyses may take in, sorted by series and in order within each: a run is a stretch of one
 * series, so that a handler loads its state once per run and not once per sample.
 *
 * Refused here, and counted: `quality_<name>`, `unusable_value`, `series_limit`, and `clock_jump` for strays. A run also ends
 * where a series' clock was set; the record's ERA then counts one more.
 *
 * Thread: its own; one object is used for every batch. Cost: two passes, no allocation once it has grown.
 */
export class SeriesRuns {
  values = new Float64Array(0)
  takenAtUs = new Float64Array(0)
  sequences = new Uint32Array(0)
  /** Runs of the batch arranged last. */
  count = 0
  slots = new Int32Array(0)
  starts = new Int32Array(0)
  ends = new Int32Array(0)
  /** ERA of the series while the run lasts. */
  eras = new Float64Array(0)
  /** Where the next sample of each series of the batch goes. */
  #next = new Int32Array(0)
  readonly #byQuality = new Int32Array(256)

  /** Replaces the runs by those of `batch`. Series new to the shard are added to `state`. */
  arrange(batch: DecodedBatch, state: ShardState, output: RunOutput): void {
    this.#reserve(batch.count, batch.series.length)
    this.count = 0
    const { slots, firstPlaces } = state.resolve(batch.series)
    const places = firstPlaces === undefined ? batch.seriesIndex : batch.seriesIndex.map((place) => firstPlaces[place])
    this.#countSeries(batch, places, output)
    this.#scatter(batch, places)
    let from = 0
    for (let place = 0; place < batch.series.length; place++) {
      const to = this.#next[place]
      if (to > from) {
        if (slots[place] < 0) slots[place] = state.slotOf(batch.series[place])
        this.#admit(state, slots[place], from, to, output)
      }
      from = to
    }
  }

  #countSeries(batch: DecodedBatch, places: DecodedBatch['seriesIndex'], output: RunOutput): void {
    const { count, series, values, takenAtUs, qualities } = batch
    const next = this.#next.fill(0, 0, series.length + 1)
    const byQuality = this.#byQuality.fill(0)
    let unusable = 0
    for (let i = 0; i < count; i++) {
      if (TRUSTED[qualities[i]] === 0) byQuality[qualities[i]]++
      else if (isUsable(values[i], takenAtUs[i])) next[places[i] + 1]++
      else unusable++
    }
    for (let index = 0; index < series.length; index++) next[index + 1] += next[index]
    output.reject('unusable_value', unusable)
    for (let quality = 0; quality < 256; quality++) {
      if (byQuality[quality] > 0) output.reject(`quality_${QUALITY_NAMES[quality] ?? 'unknown'}`, byQuality[quality])
    }
  }

  /** Afterwards `#next` is where each series ends. */
  #scatter(batch: DecodedBatch, places: DecodedBatch['seriesIndex']): void {
    const { count, values, takenAtUs, sequences, qualities } = batch
    const next = this.#next
    for (let i = 0; i < count; i++) {
      if (TRUSTED[qualities[i]] === 0 || !isUsable(values[i], takenAtUs[i])) continue
      const to = next[places[i]]++
      this.values[to] = values[i]
      this.takenAtUs[to] = takenAtUs[i]
      this.sequences[to] = sequences[i]
    }
  }

  /** Checks the times of one series' samples and makes runs of those that pass. */
  #admit(state: ShardState, slot: number, from: number, to: number, output: RunOutput): void {
    if (slot < 0) {
      output.reject('series_limit', to - from)
      return
    }
    const { records } = state.memory
    const record = state.memory.recordAt(slot)
    state.memory.markChanged(slot)
    const at = this.takenAtUs
    if (records[record + ERA] === 0) this.#setClock(records, record, at[from])
    let clock = records[record + CLOCK_AT]
    let strays = records[record + STRAYS]
    let start = from
    let end = from
    for (let i = from; i < to; i++) {
      const step = at[i] - clock
      if (step > MAX_CLOCK_STEP_US || step < -MAX_CLOCK_STEP_US) {
        const agrees = strays > 0 && Math.abs(at[i] - records[record + STRAY_AT]) <= MAX_CLOCK_STEP_US
        strays = agrees ? strays + 1 : 1
        records[record + STRAY_AT] = at[i]
        if (strays < STRAYS_BELIEVED) {
          output.reject('clock_jump', 1)
          continue
        }
        this.#addRun(slot, start, end, records[record + ERA])
        start = end
        this.#setClock(records, record, at[i])
        clock = at[i]
      }
      strays = 0
      if (step > 0) clock = at[i]
      if (end !== i) this.#move(i, end)
      end++
    }
    records[record + CLOCK_AT] = clock
    records[record + STRAYS] = strays
    this.#addRun(slot, start, end, records[record + ERA])
  }

  #setClock(records: Float64Array, record: number, atUs: number): void {
    records[record + ERA]++
    records[record + CLOCK_AT] = atUs
  }

  #move(from: number, to: number): void {
    this.values[to] = this.values[from]
    this.takenAtUs[to] = this.takenAtUs[from]
    this.sequences[to] = this.sequences[from]
  }

  #addRun(slot: number, start: number, end: number, era: number): void {
    if (start === end) return
    this.slots[this.count] = slot
    this.starts[this.count] = start
    this.ends[this.count] = end
    this.eras[this.count++] = era
  }

  #reserve(samples: number, series: number): void {
    if (samples > this.values.length) {
      const capacity = Math.max(1024, samples * 2)
      this.values = new Float64Array(capacity)
      this.takenAtUs = new Float64Array(capacity)
      this.sequences = new Uint32Array(capacity)
      // At most one run per sample, as no run is empty.
      this.slots = new Int32Array(capacity)
      this.starts = new Int32Array(capacity)
      this.ends = new Int32Array(capacity)
      this.eras = new Float64Array(capacity)
    }
    if (series >= this.#next.length) this.#next = new Int32Array(series * 2 + 1)
  }
}

/** Beyond this, squares overflow; no sensor measures it, but four bytes taken for a float may say it. */
const MAX_MAGNITUDE = 1e140

/** Also `false` for what is not a number: state must never see one, whoever made the batch. */
function isUsable(value: number, takenAtUs: number): boolean {
  return Math.abs(value) <= MAX_MAGNITUDE && Math.abs(takenAtUs) <= Number.MAX_SAFE_INTEGER
}
