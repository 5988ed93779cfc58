import type { SeriesDescriptor } from '#core/model/series'
import type { AlertOptions, AlertRule } from '#core/options/handlers/alert-options'
import type { RowReader, RowWriter } from '../state/row-bytes.js'
import { escapeNamePart } from '../state/series-directory.js'
import type { ShardMemory } from '../state/shard-memory.js'
import type { ShardState } from '../state/shard-state.js'
import { afterEmit, mayEmit, type RateBound } from './rate-bound.js'
import { findingOf, type RunOutput } from './run-output.js'
import { fingerprintOf, type SeriesHandler } from './series-handler.js'
import type { SeriesRuns } from './series-runs.js'

/** ERA of the series when it was last looked at. */
const SEEN_ERA = 0
const PREVIOUS_AT = 1
/** The series' running clock: the sum of all forward steps of its event time, microseconds. */
const ELAPSED = 2
/** Samples looked at, the clock of the rate bound. */
const SAMPLES = 3
const HEAD_WORDS = 4

/** Fields of one rule that watches the series. */
const RULE = 0 // its number + 1; 0: no rule
const STATE = 1
/** 1 while the condition holds. */
const HOLDS = 2
const ACTIVE_AT = 3
/** ELAPSED when the condition began to hold. */
const SINCE = 4
/** ELAPSED when it ceased to hold while firing; -1 while it holds. */
const ENDED = 5
/** Revision of the next finding of this activation. */
const REVISION = 6
/** State of the rate bound. */
const DUE = 7
/** 1 when the bound let no finding say that this activation began. */
const MUTED = 8
/** Such activations since the last finding. */
const UNREPORTED = 9
const RULE_WORDS = 10

const IDLE = 0
const PENDING = 1
const FIRING = 2

/** A signal that flutters around its threshold reports 20 activations at once, then one in 100 samples. */
const BOUND: RateBound = { cost: 100, burst: 20 }

/** The findings of one activation within one run take each other's place, as the sink keeps the last one only. */
interface LastSaid {
  activeAtUs: number
  index: number
}

/**
 * `telemetry.alert`: thresholds with hysteresis, after Prometheus' rules (`for`, `keep_firing_for`), in event time. A finding
 * tells each transition: `pending`, then `firing` or `cleared`; after `firing`, `resolved`.
 *
 * Samples are judged in the order they come. Durations are counted on the series' running clock, which adds up forward steps
 * of event time only: a device clock that goes back delays nothing and resolves nothing.
 */
export class AlertHandler implements SeriesHandler {
  readonly type = 'telemetry.alert'
  readonly words: number
  readonly fingerprint = fingerprintOf(['alert', 1])
  readonly offset: number
  readonly #rules: readonly AlertRule[]
  readonly #ruleFingerprints: readonly number[]
  /** Rules that may watch one series. */
  readonly #places: number

  /** @param offset of its first word in a record */
  constructor({ rules }: AlertOptions, offset: number) {
    this.offset = offset
    this.#rules = rules
    this.#ruleFingerprints = rules.map((rule) => fingerprintOf(rule))
    this.#places = Math.max(0, ...rules.map(({ channel }) => rules.filter((rule) => rule.channel === channel).length))
    this.words = HEAD_WORDS + this.#places * RULE_WORDS
  }

  initialise(memory: ShardMemory, slot: number, { device, channel }: SeriesDescriptor): void {
    let at = memory.recordAt(slot) + this.offset + HEAD_WORDS
    for (const [number, rule] of this.#rules.entries()) {
      if (rule.channel !== channel || (rule.device !== undefined && rule.device !== device)) continue
      memory.records[at + RULE] = number + 1
      memory.records[at + ACTIVE_AT] = Number.NEGATIVE_INFINITY
      memory.records[at + ENDED] = -1
      at += RULE_WORDS
    }
  }

  apply(state: ShardState, runs: SeriesRuns, run: number, output: RunOutput): void {
    const { records } = state.memory
    const at = state.memory.recordAt(runs.slots[run]) + this.offset
    if (this.#places === 0 || records[at + HEAD_WORDS + RULE] === 0) return
    if (records[at + SEEN_ERA] !== runs.eras[run]) {
      records[at + SEEN_ERA] = runs.eras[run]
      records[at + PREVIOUS_AT] = runs.takenAtUs[runs.starts[run]]
    }
    for (let place = 0; place < this.#places; place++) {
      const watch = at + HEAD_WORDS + place * RULE_WORDS
      if (records[watch + RULE] === 0) break
      this.#judge(state, runs, run, watch, output)
    }
    let elapsed = records[at + ELAPSED]
    let previous = records[at + PREVIOUS_AT]
    for (let i = runs.starts[run]; i < runs.ends[run]; i++) {
      if (runs.takenAtUs[i] > previous) elapsed += runs.takenAtUs[i] - previous
      previous = runs.takenAtUs[i]
    }
    records[at + ELAPSED] = elapsed
    records[at + PREVIOUS_AT] = previous
    records[at + SAMPLES] += runs.ends[run] - runs.starts[run]
  }

  save(memory: ShardMemory, slot: number, row: RowWriter): void {
    const { records } = memory
    const at = memory.recordAt(slot) + this.offset
    row.reals(records, at, HEAD_WORDS)
    const used = this.#watches(records, at).filter((watch) => records[watch + ACTIVE_AT] > Number.NEGATIVE_INFINITY)
    row.integer(used.length)
    for (const watch of used) {
      row.integer(this.#ruleFingerprints[records[watch + RULE] - 1])
      row.reals(records, watch + STATE, RULE_WORDS - STATE)
    }
  }

  /** A rule keeps its state when it is still there and has not changed, whatever became of the others. */
  load(memory: ShardMemory, slot: number, row: RowReader): boolean {
    const { records } = memory
    const at = memory.recordAt(slot) + this.offset
    const saved = new Float64Array(RULE_WORDS)
    let isWhole = true
    row.reals(records, at, HEAD_WORDS)
    for (let used = row.integer(); used > 0; used--) {
      const fingerprint = row.integer()
      row.reals(saved, STATE, RULE_WORDS - STATE)
      const isSame = (watch: number) => this.#ruleFingerprints[records[watch + RULE] - 1] === fingerprint
      const watch = this.#watches(records, at).find(isSame)
      if (watch === undefined) isWhole = false
      else records.set(saved.subarray(STATE), watch + STATE)
    }
    return isWhole
  }

  #judge(state: ShardState, runs: SeriesRuns, run: number, watch: number, output: RunOutput): void {
    const { records } = state.memory
    const rule = this.#rules[records[watch + RULE] - 1]
    const head = state.memory.recordAt(runs.slots[run]) + this.offset
    const isAbove = rule.above !== undefined
    const threshold = (rule.above ?? rule.below) as number
    const reset = rule.reset ?? threshold
    const forUs = rule.forMs * 1000
    const keepUs = rule.keepFiringMs * 1000
    const from = runs.starts[run]
    const said: LastSaid = { activeAtUs: Number.NaN, index: -1 }
    let elapsed = records[head + ELAPSED]
    let previous = records[head + PREVIOUS_AT]
    for (let i = from; i < runs.ends[run]; i++) {
      const atUs = runs.takenAtUs[i]
      if (atUs > previous) elapsed += atUs - previous
      previous = atUs
      const limit = records[watch + HOLDS] === 1 ? reset : threshold
      const holds = isAbove ? runs.values[i] > limit : runs.values[i] < limit
      if (!holds && records[watch + STATE] === IDLE) continue
      const sample = records[head + SAMPLES] + (i - from)
      let transition = ''
      records[watch + HOLDS] = holds ? 1 : 0
      if (holds) {
        records[watch + ENDED] = -1
        if (records[watch + STATE] === IDLE) {
          activate(records, watch, atUs, elapsed, sample)
          transition = 'pending'
        }
        if (records[watch + STATE] === PENDING && elapsed - records[watch + SINCE] >= forUs) {
          records[watch + STATE] = FIRING
          transition = 'firing'
        }
      } else if (records[watch + STATE] === PENDING) {
        records[watch + STATE] = IDLE
        transition = 'cleared'
      } else {
        if (records[watch + ENDED] < 0) records[watch + ENDED] = elapsed
        if (elapsed - records[watch + ENDED] >= keepUs) {
          records[watch + STATE] = IDLE
          transition = 'resolved'
        }
      }
      if (records[watch + MUTED] === 1) {
        if (records[watch + STATE] !== FIRING || !unmute(records, watch, sample)) continue
        transition = 'firing'
      }
      if (transition !== '') this.#say(state, runs, run, i, watch, transition, said, output)
    }
  }

  #say(
    state: ShardState,
    runs: SeriesRuns,
    run: number,
    i: number,
    watch: number,
    name: string,
    said: LastSaid,
    output: RunOutput,
  ): void {
    const { records } = state.memory
    const { name: ruleName, severity, above, below, reset } = this.#rules[records[watch + RULE] - 1]
    const series = state.series(runs.slots[run])
    const activeAtUs = records[watch + ACTIVE_AT]
    const draft = {
      key: `alert/${escapeNamePart(ruleName)}/${series.name}/${activeAtUs}`,
      revision: records[watch + REVISION]++,
      handler: this.type,
      atUs: runs.takenAtUs[i],
      body: {
        rule: ruleName,
        severity,
        state: name,
        unit: series.unit,
        value: runs.values[i],
        ...(above !== undefined && { above }),
        ...(below !== undefined && { below }),
        ...(reset !== undefined && { reset }),
        activeAtUs,
        changedAtUs: runs.takenAtUs[i],
        unreportedBefore: records[watch + UNREPORTED],
      },
    }
    const finding = findingOf(draft, series, output.batch)
    if (said.activeAtUs === activeAtUs) output.findings[said.index] = finding
    else said.index = output.findings.push(finding) - 1
    said.activeAtUs = activeAtUs
    if (records[watch + STATE] === IDLE) records[watch + UNREPORTED] = 0
  }

  #watches(records: Float64Array, at: number): number[] {
    const all = Array.from({ length: this.#places }, (_, place) => at + HEAD_WORDS + place * RULE_WORDS)
    return all.filter((watch) => records[watch + RULE] > 0)
  }
}

function activate(records: Float64Array, watch: number, atUs: number, elapsed: number, sample: number): void {
  records[watch + STATE] = PENDING
  // The key ends in this time: a second activation at the same time goes on where the first left off.
  if (records[watch + ACTIVE_AT] !== atUs) records[watch + REVISION] = 0
  records[watch + ACTIVE_AT] = atUs
  records[watch + SINCE] = elapsed
  if (mayEmit(BOUND, records[watch + DUE], sample)) {
    records[watch + MUTED] = 0
    records[watch + DUE] = afterEmit(BOUND, records[watch + DUE], sample)
  } else {
    records[watch + MUTED] = 1
    records[watch + UNREPORTED]++
  }
}

/** An alert that fires on is reported as soon as the bound allows. */
function unmute(records: Float64Array, watch: number, sample: number): boolean {
  if (!mayEmit(BOUND, records[watch + DUE], sample)) return false
  records[watch + DUE] = afterEmit(BOUND, records[watch + DUE], sample)
  records[watch + MUTED] = 0
  records[watch + UNREPORTED]--
  return true
}
