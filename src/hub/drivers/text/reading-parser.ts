import { QUALITY, type Quality } from '#core/model/quality'
import type { SampleSink } from '../driver.js'
import { parseDecimal } from './decimal.js'
import {
  type FieldLookup,
  type LineFormat,
  readJson,
  readPairs,
  readPlotter,
  splitCsv,
  splitWhitespace,
} from './fields.js'
import { type LineMatch, LinePattern } from './line-pattern.js'
import type { ReadingOptions, ValueColumn } from './reading-options.js'
import { parseTimestamp } from './timestamp.js'

/** Bound of channels that lines may name by themselves; what a noisy line invents must not fill the series table. */
export const MAX_DISCOVERED_CHANNELS = 64

/** The values of one quality within a reading: what the sink takes in one call. Reused by the next line. */
export interface ValueGroup {
  readonly quality: Quality
  readonly series: number[]
  readonly values: number[]
}

interface BoundColumn {
  field: string
  /** `undefined` when the hub's limit of series is reached. */
  series: number | undefined
  group: ValueGroup
}

/** Turns lines into readings; what it cannot read it rejects at the sink by reason. Thread: its driver's. */
export class ReadingParser {
  readonly #options: ReadingOptions
  readonly #sink: SampleSink
  readonly #columns: BoundColumn[] = []
  readonly #known = new Set<string>()
  readonly #timeFields: ReadonlySet<string>
  readonly #positions = new Map<string, number>()
  readonly #pattern: LinePattern | undefined
  #row: string[] = []
  /** Of the last line that {@link parse} took; empty groups are to be skipped. */
  readonly groups: ValueGroup[] = []
  /** When the line says it was taken; `undefined` without a time column. */
  takenAtUs: number | undefined

  /** @throws TLM_OPTIONS_INVALID a pattern that is none */
  constructor(options: ReadingOptions, sink: SampleSink) {
    this.#options = options
    this.#pattern = options.format === 'regex' ? new LinePattern(options.pattern ?? '') : undefined
    this.#sink = sink
    this.#timeFields = new Set(options.time?.fields)
    options.fields?.forEach((name, position) => {
      this.#positions.set(name, position)
    })
    for (const column of options.columns ?? []) this.#bind(column)
    if (options.columns === undefined) for (const field of options.fields ?? []) this.#discover(field)
  }

  /**
   * Reads one line into {@link groups} and {@link takenAtUs}.
   *
   * @param where for the log, e.g. `line 17`
   * @returns whether there is anything to offer; `false` after a reject, and for blank lines, which hold nothing
   */
  parse(line: string, where: string): boolean {
    this.#clear()
    const text = line.trim()
    if (text === '') return false
    const lookup = this.#lookup(text)
    return typeof lookup === 'string' ? this.#refuse(lookup, where, text) : this.#read(lookup, where, text)
  }

  /** The same for values that are numbers already, by the position of their names in `fields`. */
  parseValues(values: readonly number[], where: string): boolean {
    this.#clear()
    const lookup: FieldLookup = (name) => values[this.#positions.get(name) ?? -1]
    return this.#read(lookup, where, String(values))
  }

  #clear(): void {
    for (const group of this.groups) {
      group.series.length = 0
      group.values.length = 0
    }
  }

  #read(lookup: FieldLookup, where: string, text: string): boolean {
    if (!this.#readTime(lookup)) return this.#refuse('time_unreadable', where, text)
    let taken = 0
    for (const column of this.#columns) if (this.#readValue(column, lookup, where)) taken++
    return taken > 0
  }

  #lookup(text: string): FieldLookup | 'line_unparsable' | 'field_count_wrong' | 'pattern_too_slow' {
    const { format, separator = ',', columns } = this.#options
    if (format === 'csv' || format === 'whitespace') {
      this.#row = format === 'csv' ? splitCsv(text, separator) : splitWhitespace(text)
      return this.#row.length === this.#positions.size ? this.#byPosition : 'field_count_wrong'
    }
    const fields = this.#pattern === undefined ? readNamed(format, text) : matched(this.#pattern.match(text))
    if (fields === 'too-slow') return 'pattern_too_slow'
    if (fields === undefined) return 'line_unparsable'
    if (columns === undefined) {
      for (const [name, value] of fields) {
        if (typeof value === 'number' || parseDecimal(value) !== undefined) this.#discover(name)
      }
    }
    return (name) => fields.get(name)
  }

  readonly #byPosition: FieldLookup = (name) => this.#row[this.#positions.get(name) ?? -1]

  #readTime(lookup: FieldLookup): boolean {
    const { time } = this.#options
    if (time === undefined) return true
    const text = time.fields.length === 1 ? lookup(time.fields[0]) : time.fields.map(lookup).join(' ')
    this.takenAtUs = parseTimestamp(String(text ?? ''), time.format, time.utcOffsetMinutes)
    return this.takenAtUs !== undefined
  }

  #readValue(column: BoundColumn, lookup: FieldLookup, where: string): boolean {
    const found = lookup(column.field)
    if (found === undefined || found === '') {
      // A discovered field that this line lacks was never promised.
      if (this.#options.columns !== undefined || found === '') this.#refuse('value_missing', where, column.field)
      return false
    }
    const value = typeof found === 'number' ? found : parseDecimal(found)
    if (value === undefined) return this.#refuse('value_not_a_number', where, `${column.field}=${found}`)
    if (column.series === undefined) return this.#refuse('series_limit', where, column.field)
    column.group.series.push(column.series)
    column.group.values.push(value)
    return true
  }

  #discover(field: string): void {
    if (this.#known.has(field) || this.#timeFields.has(field)) return
    if (this.#columns.length >= MAX_DISCOVERED_CHANNELS || field.length > 64) {
      this.#sink.reject('channel_limit', field.slice(0, 64))
      return
    }
    this.#bind({ field })
  }

  #bind(column: ValueColumn): void {
    const quality = QUALITY[column.quality ?? 'good']
    let group = this.groups.find((known) => known.quality === quality)
    if (group === undefined) {
      group = { quality, series: [], values: [] }
      this.groups.push(group)
    }
    const series = this.#sink.series(column.channel ?? column.field, column.unit ?? '')
    this.#columns.push({ field: column.field, series, group })
    this.#known.add(column.field)
  }

  #refuse(reason: string, where: string, text: string): false {
    this.#sink.reject(reason, `${where}: ${text.slice(0, 120)}`)
    return false
  }
}

function readNamed(format: LineFormat, text: string): Map<string, string | number> | undefined {
  if (format === 'json') return readJson(text)
  return format === 'plotter' ? readPlotter(text) : readPairs(text)
}

/** Groups that took part in the match; the others are as fields that the line lacks. */
function matched(match: LineMatch): Map<string, string> | undefined | 'too-slow' {
  if (match === undefined || match === 'too-slow') return match
  return new Map(Object.entries(match).filter((entry): entry is [string, string] => entry[1] !== undefined))
}
