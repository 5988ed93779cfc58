import type { SeriesDescriptor } from '#core/model/series'
import { type ResolvedDictionary, SeriesDirectory, type SeriesEntry } from './series-directory.js'
import type { ShardMemory } from './shard-memory.js'

/** Words of a record that belong to the series and not to one handler. */
export const ERA = 0
export const CLOCK_AT = 1
export const STRAY_AT = 2
export const STRAYS = 3
/** Samples that `telemetry.analyze` ever took in, under whatever options: the revision of its summary. */
export const ANALYZED = 4
export const COMMON_WORDS = 5

/** Sets what is not zero in the record of a series just added. */
export type InitialiseRecord = (memory: ShardMemory, slot: number, series: SeriesDescriptor) => void

/** A shard's state as handlers see it: records by slot, and whose they are. */
export class ShardState {
  readonly memory: ShardMemory
  readonly #directory: SeriesDirectory
  readonly #initialise: InitialiseRecord

  constructor(memory: ShardMemory, directory: SeriesDirectory, initialise: InitialiseRecord) {
    this.memory = memory
    this.#directory = directory
    this.#initialise = initialise
    directory.refresh(memory)
  }

  /** The slot of a series, added when it is new; -1 when the shard is full. */
  slotOf(series: SeriesDescriptor): number {
    const known = this.#directory.find(series.device, series.channel)
    if (known !== undefined) return known
    const slot = this.#directory.add(this.memory, series)
    if (slot >= 0) this.#initialise(this.memory, slot, series)
    return slot
  }

  /** See {@link SeriesDirectory.resolve}. */
  resolve(dictionary: readonly SeriesDescriptor[]): ResolvedDictionary {
    return this.#directory.resolve(dictionary)
  }

  series(slot: number): SeriesEntry {
    return this.#directory.entry(slot)
  }
}

/** Directories of the shards a thread has worked on, so that it reads the names of a state once. */
export class DirectoryCache {
  readonly #byShard = new Map<number, { id: string; directory: SeriesDirectory }>()

  /** The directory of that very state; that of an earlier state of the shard is forgotten. */
  directoryOf(shard: number, memory: ShardMemory): SeriesDirectory {
    const { id } = memory
    const cached = this.#byShard.get(shard)
    if (cached?.id === id) return cached.directory
    const directory = new SeriesDirectory()
    this.#byShard.set(shard, { id, directory })
    return directory
  }
}
