import type { Finding } from '#core/model/finding'
import type { AnalyzeOptions } from '#core/options/handlers/analyze-options'
import {
  addToSketch,
  mergeSketch,
  quantiles,
  relativeError,
  SKETCH_WORDS,
  saveSketch,
} from '../state/quantile-sketch.js'
import type { RowReader, RowWriter } from '../state/row-bytes.js'
import type { ShardMemory } from '../state/shard-memory.js'
import { ANALYZED, type ShardState } from '../state/shard-state.js'
import { findingOf, type RunOutput } from './run-output.js'
import { fingerprintOf, type SeriesHandler } from './series-handler.js'
import type { SeriesRuns } from './series-runs.js'

const COUNT = 0
const MEAN = 1
/** What rounding took from MEAN: small changes of large values keep their digits, also when parts are merged. */
const MEAN_REST = 2
/** Sum of squared distances from the mean. */
const SQUARES = 3
const MIN = 4
const MAX = 5
const FIRST_AT = 6
const LAST_AT = 7
/** Times of the regression are seconds since the first sample that came: small numbers keep their digits. */
const ORIGIN_AT = 8
const TIME_MEAN = 9
const TIME_SQUARES = 10
/** Sum of products of the distances of time and value from their means. */
const PRODUCTS = 11
const SKETCH = 12
const WORDS = SKETCH + SKETCH_WORDS

const QUANTILES = [0.5, 0.95, 0.99]

/** Summaries that any run may emit: with few series, every run brings the summary of each series it has touched. */
export const FREE_SUMMARIES = 16
/** Samples a run must bring for each further one before the checkpoint: bounds what summaries cost. */
export const SAMPLES_PER_SUMMARY = 512

/**
 * `telemetry.analyze`: what a series has looked like since it was first seen. Moments by Welford's recurrences (Technometrics
 * 1962; never a sum of squares), the mean in two words, rate of change as the slope of the least-squares line over event time, quantiles by
 * `quantile-sketch`.
 */
export class AnalyzeHandler implements SeriesHandler {
  readonly type = 'telemetry.analyze'
  readonly words = WORDS
  readonly fingerprint = fingerprintOf(['analyze', 1])
  readonly offset: number
  readonly #maxSummaries: number

  /** @param offset of its first word in a record */
  constructor({ maxSummariesPerRun }: AnalyzeOptions, offset: number) {
    this.offset = offset
    this.#maxSummaries = maxSummariesPerRun
  }

  initialise(memory: ShardMemory, slot: number): void {
    const at = this.#at(memory, slot)
    memory.records[at + MIN] = Number.POSITIVE_INFINITY
    memory.records[at + MAX] = Number.NEGATIVE_INFINITY
    memory.records[at + FIRST_AT] = Number.POSITIVE_INFINITY
    memory.records[at + LAST_AT] = Number.NEGATIVE_INFINITY
  }

  apply({ memory }: ShardState, runs: SeriesRuns, run: number): void {
    const slot = runs.slots[run]
    const from = runs.starts[run]
    const to = runs.ends[run]
    this.#addMoments(memory.records, this.#at(memory, slot), runs, from, to)
    addToSketch(memory, this.#at(memory, slot) + SKETCH, runs.values, from, to)
    memory.records[memory.recordAt(slot) + ANALYZED] += to - from
    memory.enqueue(slot)
    memory.summaryCredit = Math.min(memory.summaryCredit + to - from, this.#maxSummaries * SAMPLES_PER_SUMMARY)
  }

  /**
   * Emits summaries of series that changed, those first that have waited longest. How often a series gets one depends on
   * the load; with `all`, at a checkpoint, every series that changed gets one, so the last word is always said.
   */
  emitSummaries(state: ShardState, all: boolean, output: RunOutput): void {
    const { memory } = state
    const earned = FREE_SUMMARIES + Math.floor(memory.summaryCredit / SAMPLES_PER_SUMMARY)
    const budget = all ? Number.POSITIVE_INFINITY : Math.min(earned, this.#maxSummaries)
    let emitted = 0
    for (let slot = 0; emitted < budget; emitted++) {
      slot = memory.dequeue()
      if (slot < 0) break
      output.add(this.#summary(state, slot, output.batch))
    }
    const paid = Math.max(0, emitted - FREE_SUMMARIES)
    memory.summaryCredit = all ? 0 : memory.summaryCredit - paid * SAMPLES_PER_SUMMARY
  }

  save(memory: ShardMemory, slot: number, row: RowWriter): void {
    const at = this.#at(memory, slot)
    row.integer(memory.records[at + COUNT])
    row.reals(memory.records, at + MEAN, SKETCH - MEAN)
    saveSketch(memory, at + SKETCH, row)
  }

  /** Adds a saved part to what the series has: into an empty record exactly, else by Chan's pairwise formulas. */
  load(memory: ShardMemory, slot: number, row: RowReader): boolean {
    const part = new Float64Array(SKETCH)
    part[COUNT] = row.integer()
    row.reals(part, MEAN, SKETCH - MEAN)
    const at = this.#at(memory, slot)
    if (memory.records[at + COUNT] === 0) memory.records.set(part, at)
    else if (part[COUNT] > 0) mergeMoments(memory.records.subarray(at, at + SKETCH), part)
    mergeSketch(memory, at + SKETCH, row)
    return true
  }

  #addMoments(records: Float64Array, at: number, runs: SeriesRuns, from: number, to: number): void {
    const { values, takenAtUs } = runs
    let count = records[at + COUNT]
    if (count === 0) records[at + ORIGIN_AT] = takenAtUs[from]
    const originAt = records[at + ORIGIN_AT]
    let mean = records[at + MEAN]
    let meanRest = records[at + MEAN_REST]
    let squares = records[at + SQUARES]
    let min = records[at + MIN]
    let max = records[at + MAX]
    let firstAt = records[at + FIRST_AT]
    let lastAt = records[at + LAST_AT]
    let timeMean = records[at + TIME_MEAN]
    let timeSquares = records[at + TIME_SQUARES]
    let products = records[at + PRODUCTS]
    for (let i = from; i < to; i++) {
      const value = values[i]
      const atUs = takenAtUs[i]
      count++
      const distance = value - mean - meanRest
      const step = meanRest + distance / count
      const sum = mean + step // Knuth's two-sum: `sum + meanRest` is `mean + step` exactly
      const taken = sum - mean
      meanRest = mean - (sum - taken) + (step - taken)
      mean = sum
      const distanceNow = value - mean - meanRest
      squares += distance * distanceNow
      if (value < min) min = value
      if (value > max) max = value
      if (atUs < firstAt) firstAt = atUs
      if (atUs > lastAt) lastAt = atUs
      const time = (atUs - originAt) * 1e-6
      const timeDistance = time - timeMean
      timeMean += timeDistance / count
      timeSquares += timeDistance * (time - timeMean)
      products += timeDistance * distanceNow
    }
    records[at + COUNT] = count
    records[at + MEAN] = mean
    records[at + MEAN_REST] = meanRest
    records[at + SQUARES] = squares
    records[at + MIN] = min
    records[at + MAX] = max
    records[at + FIRST_AT] = firstAt
    records[at + LAST_AT] = lastAt
    records[at + TIME_MEAN] = timeMean
    records[at + TIME_SQUARES] = timeSquares
    records[at + PRODUCTS] = products
  }

  #summary(state: ShardState, slot: number, batch: string): Finding {
    const { memory } = state
    const { records } = memory
    const at = this.#at(memory, slot)
    const series = state.series(slot)
    const count = records[at + COUNT]
    const min = records[at + MIN]
    const max = records[at + MAX]
    const [p50, p95, p99] = quantiles(memory, at + SKETCH, count, QUANTILES)
    const within = (value: number) => Math.min(max, Math.max(min, value))
    const timeSquares = records[at + TIME_SQUARES]
    const draft = {
      key: `analyze/${series.name}`,
      revision: records[memory.recordAt(slot) + ANALYZED],
      handler: this.type,
      atUs: records[at + LAST_AT],
      body: {
        unit: series.unit,
        count,
        mean: records[at + MEAN],
        standardDeviation: count > 1 ? Math.sqrt(records[at + SQUARES] / (count - 1)) : null,
        min,
        max,
        firstTakenAtUs: records[at + FIRST_AT],
        lastTakenAtUs: records[at + LAST_AT],
        changePerSecond: timeSquares > 0 ? records[at + PRODUCTS] / timeSquares : null,
        p50: within(p50),
        p95: within(p95),
        p99: within(p99),
        quantileRelativeError: relativeError(memory, at + SKETCH),
      },
    }
    return findingOf(draft, series, batch)
  }

  #at(memory: ShardMemory, slot: number): number {
    return memory.recordAt(slot) + this.offset
  }
}

/** Adds `part` to `into`, both with samples (Chan, Golub and LeVeque 1979). */
function mergeMoments(into: Float64Array, part: Float64Array): void {
  const count = into[COUNT] + part[COUNT]
  const weight = (into[COUNT] * part[COUNT]) / count
  const share = part[COUNT] / count
  const distance = part[MEAN] - into[MEAN] + (part[MEAN_REST] - into[MEAN_REST])
  const timeDistance = part[TIME_MEAN] + (part[ORIGIN_AT] - into[ORIGIN_AT]) * 1e-6 - into[TIME_MEAN]
  into[SQUARES] += part[SQUARES] + distance * distance * weight
  into[TIME_SQUARES] += part[TIME_SQUARES] + timeDistance * timeDistance * weight
  into[PRODUCTS] += part[PRODUCTS] + distance * timeDistance * weight
  const step = into[MEAN_REST] + distance * share
  const sum = into[MEAN] + step
  const taken = sum - into[MEAN]
  into[MEAN_REST] = into[MEAN] - (sum - taken) + (step - taken)
  into[MEAN] = sum
  into[TIME_MEAN] += timeDistance * share
  into[COUNT] = count
  into[MIN] = Math.min(into[MIN], part[MIN])
  into[MAX] = Math.max(into[MAX], part[MAX])
  into[FIRST_AT] = Math.min(into[FIRST_AT], part[FIRST_AT])
  into[LAST_AT] = Math.max(into[LAST_AT], part[LAST_AT])
}
