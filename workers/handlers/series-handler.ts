import { createHash } from 'node:crypto'
import type { BuiltInHandlerType } from '#core/model/finding'
import type { SeriesDescriptor } from '#core/model/series'
import type { RowReader, RowWriter } from '../state/row-bytes.js'
import type { ShardMemory } from '../state/shard-memory.js'
import type { ShardState } from '../state/shard-state.js'
import type { RunOutput } from './run-output.js'
import type { SeriesRuns } from './series-runs.js'

/**
 * An analysis with state per series. Its fields lie in the series' record from a word that the handler is told when it is
 * made; the object itself keeps nothing of any series, so every thread has its own.
 *
 * What it does to state and findings depends on the samples of each series in their order, and on nothing else: not on how
 * they were cut into batches, not on other series, not on the time of day.
 */
export interface SeriesHandler {
  readonly type: BuiltInHandlerType
  /** First word of its fields in a record. */
  readonly offset: number
  /** Words of its fields in a record. */
  readonly words: number
  /** Another one for every configuration under which saved state would mean something else. */
  readonly fingerprint: number
  /** Sets what is not zero in the fields of a series just added. */
  initialise(memory: ShardMemory, slot: number, series: SeriesDescriptor): void
  /** Takes in one run of samples. Hot: no allocation per sample. */
  apply(state: ShardState, runs: SeriesRuns, run: number, output: RunOutput): void
  save(memory: ShardMemory, slot: number, row: RowWriter): void
  /**
   * Fills the fields of a series just added from what `save` wrote.
   *
   * @returns `false` when some of it no longer fits the configuration and was left out
   * @throws RangeError the bytes are not what `save` wrote
   */
  load(memory: ShardMemory, slot: number, row: RowReader): boolean
}

/** A 48-bit hash of plain data, for {@link SeriesHandler.fingerprint}. */
export function fingerprintOf(data: unknown): number {
  return createHash('sha256').update(JSON.stringify(data)).digest().readUIntLE(0, 6)
}
