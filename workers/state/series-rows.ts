/**
 * Saved state: one row per series, under its escaped name.
 *
 * ```text
 * version u8 | device | channel | unit | ANALYZED        every version begins like this
 * era | clock f64 | stray f64 | strays                   the series' clock
 * parts | per part: handler u8, fingerprint, block       the block is the handler's own
 * ```
 * Whole numbers are varints, names are counted code units, reals are exact. A part whose handler has another fingerprint by
 * now is left out: that handler starts anew for the series, the others go on.
 */
import { HANDLER_TYPES } from '#core/model/finding'
import type { SeriesDescriptor } from '#core/model/series'
import type { HandlerSet } from '../handlers/handler-set.js'
import type { SeriesHandler } from '../handlers/series-handler.js'
import { RowReader, RowWriter } from './row-bytes.js'
import { ANALYZED, CLOCK_AT, ERA, type ShardState, STRAY_AT, STRAYS } from './shard-state.js'

const VERSION = 1

/** By handler type: series whose saved state of it was left out; `row` counts rows that could not be read at all. */
export type Restarted = Record<string, number>

export class SeriesRows {
  readonly #handlers: HandlerSet
  readonly #writer = new RowWriter()

  constructor(handlers: HandlerSet) {
    this.#handlers = handlers
  }

  /** Rows of all series changed since the last call for this state. */
  saveChanged(state: ShardState): Map<string, Uint8Array> {
    const rows = new Map<string, Uint8Array>()
    for (const slot of state.memory.takeChanged()) rows.set(state.series(slot).name, this.#save(state, slot))
    return rows
  }

  /** Fills an empty state. What cannot be kept is counted and starts anew; nothing of it is left in the state. */
  load(state: ShardState, rows: ReadonlyMap<string, Uint8Array>): Restarted {
    const restarted: Restarted = {}
    for (const row of rows.values()) {
      try {
        this.#load(state, new RowReader(row), restarted)
      } catch (error) {
        if (!(error instanceof RangeError)) throw error
        count(restarted, 'row')
      }
    }
    return restarted
  }

  #save(state: ShardState, slot: number): Uint8Array {
    const row = this.#writer
    const { memory } = state
    const { device, channel, unit } = state.series(slot)
    const at = memory.recordAt(slot)
    row.integer(VERSION)
    row.text(device)
    row.text(channel)
    row.text(unit)
    row.integer(memory.records[at + ANALYZED])
    row.integer(memory.records[at + ERA])
    row.real(memory.records[at + CLOCK_AT])
    row.real(memory.records[at + STRAY_AT])
    row.integer(memory.records[at + STRAYS])
    row.integer(this.#handlers.analyses.length)
    for (const handler of this.#handlers.analyses) {
      row.integer(HANDLER_TYPES.indexOf(handler.type))
      row.integer(handler.fingerprint)
      row.block(() => handler.save(memory, slot, row))
    }
    return row.take()
  }

  #load(state: ShardState, row: RowReader, restarted: Restarted): void {
    const version = row.integer()
    const series: SeriesDescriptor = { device: row.text(1024), channel: row.text(1024), unit: row.text(1024) }
    const analyzed = row.integer()
    const slot = state.slotOf(series)
    if (slot < 0) throw new RangeError('more series than a shard may have')
    const { memory } = state
    const at = memory.recordAt(slot)
    try {
      if (version === VERSION) this.#loadVersion1(state, slot, row, restarted)
      else for (const { type } of this.#handlers.analyses) count(restarted, type)
    } catch (error) {
      memory.records.fill(0, at, at + memory.recordWords)
      this.#handlers.initialise(memory, slot, series)
      throw error
    } finally {
      memory.records[at + ANALYZED] = analyzed
    }
  }

  #loadVersion1(state: ShardState, slot: number, row: RowReader, restarted: Restarted): void {
    this.#loadClock(state, slot, row)
    for (let parts = row.integer(); parts > 0; parts--) {
      const type = HANDLER_TYPES[row.integer()]
      const fingerprint = row.integer()
      const block = row.block()
      const handler = this.#handlers.analyses.find((candidate) => candidate.type === type)
      // A handler that is no longer configured starts anew should it come back.
      if (handler === undefined) continue
      const isWhole = handler.fingerprint === fingerprint && loadPart(state, slot, handler, block)
      if (!isWhole) count(restarted, type)
    }
  }

  #loadClock(state: ShardState, slot: number, row: RowReader): void {
    const { records } = state.memory
    const at = state.memory.recordAt(slot)
    const clock = [row.integer(), row.real(), row.real(), row.integer()]
    if (!clock.every(Number.isFinite)) throw new RangeError('a clock that is not a number')
    records[at + ERA] = clock[0]
    records[at + CLOCK_AT] = clock[1]
    records[at + STRAY_AT] = clock[2]
    records[at + STRAYS] = clock[3]
  }
}

/** `false` when some of the part was left out; bytes that cannot be read leave the handler's fields as if new. */
function loadPart(state: ShardState, slot: number, handler: SeriesHandler, block: RowReader): boolean {
  const { memory } = state
  try {
    return handler.load(memory, slot, block)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    const at = memory.recordAt(slot) + handler.offset
    memory.records.fill(0, at, at + handler.words)
    handler.initialise(memory, slot, state.series(slot))
    return false
  }
}

function count(restarted: Restarted, what: string): void {
  restarted[what] = (restarted[what] ?? 0) + 1
}
