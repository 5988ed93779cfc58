import type { AnomalyOptions } from '#core/options/handlers/anomaly-options'
import type { RowReader, RowWriter } from '../state/row-bytes.js'
import type { ShardMemory } from '../state/shard-memory.js'
import type { ShardState } from '../state/shard-state.js'
import { afterEmit, mayEmit, type RateBound } from './rate-bound.js'
import { findingOf, type RunOutput } from './run-output.js'
import { fingerprintOf, type SeriesHandler } from './series-handler.js'
import type { SeriesRuns } from './series-runs.js'

const COUNT = 0
const LEVEL_MEAN = 1
const LEVEL_VARIANCE = 2
const CHANGE_MEAN = 3
const CHANGE_VARIANCE = 4
/** The last sample whose level was normal: a spike is not told of again when it is over. */
const PREVIOUS = 5
/** State of the rate bound. */
const DUE = 6
/** COUNT at the finding last emitted. */
const EMITTED_AT = 7
/** 1 while the series is anomalous. */
const ANOMALOUS = 8
/** Anomalous samples since then without a finding of their own. */
const UNREPORTED = 9
const WORDS = 10

/** Distances up to so many scales count in full. */
const FULL_WEIGHT = 3
/** Larger scores say nothing more; keeps products finite. */
const MAX_SCORE = 1e12

/**
 * `telemetry.anomaly_detect`: a sample far from the series' running mean, in running scales (`level`), or one that differs
 * from the last normal one by unusually much (`change`).
 *
 * Mean and scale are exponentially weighted, from plain averages at first to the weight `smoothing`. A distance of more than
 * three scales counts as `3 (1 + ln(z / 3))` scales: an outlier hardly moves them, yet every sample moves them a little. (Were
 * outliers not let through at all, a constant series, whose scale is 0, would find its next level anomalous for ever.)
 */
export class AnomalyDetectHandler implements SeriesHandler {
  readonly type = 'telemetry.anomaly_detect'
  readonly words = WORDS
  readonly fingerprint: number
  readonly offset: number
  readonly #options: AnomalyOptions
  readonly #bound: RateBound

  /** @param offset of its first word in a record */
  constructor(options: AnomalyOptions, offset: number) {
    this.offset = offset
    this.#options = options
    this.#bound = { cost: options.repeatSamples, burst: options.burst }
    this.fingerprint = fingerprintOf(['anomaly_detect', 1, options])
  }

  initialise(): void {}

  apply(state: ShardState, runs: SeriesRuns, run: number, output: RunOutput): void {
    const { records } = state.memory
    const slot = runs.slots[run]
    const at = state.memory.recordAt(slot) + this.offset
    const from = runs.starts[run]
    const to = runs.ends[run]
    const { threshold, smoothing, warmUpSamples, relativeScaleFloor, scaleFloor } = this.#options
    const { values } = runs
    let count = records[at + COUNT]
    let mean = records[at + LEVEL_MEAN]
    let variance = records[at + LEVEL_VARIANCE]
    let changeMean = records[at + CHANGE_MEAN]
    let changeVariance = records[at + CHANGE_VARIANCE]
    let previous = records[at + PREVIOUS]
    for (let i = from; i < to; i++) {
      const value = values[i]
      if (count === 0) {
        mean = value
        previous = value
      }
      const weight = Math.max(smoothing, 1 / ++count)
      const floor = Math.max(scaleFloor, relativeScaleFloor * Math.abs(mean))

      const scale = Math.max(floor, Math.sqrt(variance))
      const score = Math.max(-MAX_SCORE, Math.min(MAX_SCORE, (value - mean) / scale))
      const distance = scale * damped(score)

      const change = value - previous
      const changeScale = Math.max(floor, Math.sqrt(changeVariance))
      const changeScore = Math.max(-MAX_SCORE, Math.min(MAX_SCORE, (change - changeMean) / changeScale))
      const changeDistance = changeScale * damped(changeScore)

      if (count > warmUpSamples) {
        const highest = Math.max(Math.abs(score), Math.abs(changeScore))
        if (highest > threshold) {
          const byLevel = Math.abs(score) >= Math.abs(changeScore)
          records[at + COUNT] = count
          this.#report(state, slot, runs, i, byLevel ? mean : previous + changeMean, highest, byLevel, output)
        } else records[at + ANOMALOUS] = 0
      }
      mean += weight * distance
      variance = (1 - weight) * (variance + weight * distance * distance)
      changeMean += weight * changeDistance
      changeVariance = (1 - weight) * (changeVariance + weight * changeDistance * changeDistance)
      if (Math.abs(score) <= threshold) previous = value
    }
    records[at + COUNT] = count
    records[at + LEVEL_MEAN] = mean
    records[at + LEVEL_VARIANCE] = variance
    records[at + CHANGE_MEAN] = changeMean
    records[at + CHANGE_VARIANCE] = changeVariance
    records[at + PREVIOUS] = previous
  }

  save(memory: ShardMemory, slot: number, row: RowWriter): void {
    row.reals(memory.records, memory.recordAt(slot) + this.offset, WORDS)
  }

  load(memory: ShardMemory, slot: number, row: RowReader): boolean {
    row.reals(memory.records, memory.recordAt(slot) + this.offset, WORDS)
    return true
  }

  /** Emits the first anomalous sample after a normal one, then one in so many, all within the rate bound. */
  #report(
    state: ShardState,
    slot: number,
    runs: SeriesRuns,
    i: number,
    expected: number,
    score: number,
    byLevel: boolean,
    output: RunOutput,
  ): void {
    const { records } = state.memory
    const at = state.memory.recordAt(slot) + this.offset
    const count = records[at + COUNT]
    const isEntry = records[at + ANOMALOUS] === 0
    records[at + ANOMALOUS] = 1
    const isDue = isEntry || count - records[at + EMITTED_AT] >= this.#bound.cost
    if (!isDue || !mayEmit(this.#bound, records[at + DUE], count)) {
      records[at + UNREPORTED]++
      return
    }
    const series = state.series(slot)
    const draft = {
      key: `anomaly/${series.name}/${runs.takenAtUs[i]}/${runs.sequences[i]}`,
      revision: 0,
      handler: this.type,
      atUs: runs.takenAtUs[i],
      body: {
        unit: series.unit,
        value: runs.values[i],
        expected,
        score,
        component: byLevel ? 'level' : 'change',
        unreportedBefore: records[at + UNREPORTED],
      },
    }
    output.add(findingOf(draft, series, output.batch))
    records[at + DUE] = afterEmit(this.#bound, records[at + DUE], count)
    records[at + EMITTED_AT] = count
    records[at + UNREPORTED] = 0
  }
}

/** The score as far as it may move mean and scale. */
function damped(score: number): number {
  const size = Math.abs(score)
  if (size <= FULL_WEIGHT) return score
  return Math.sign(score) * FULL_WEIGHT * (1 + Math.log(size / FULL_WEIGHT))
}
