import type { Sink } from '../sinks/sink.js'
import type { SinkWrite } from '../sinks/write-group.js'

/** Sink writes under way; a further run waits for one of them. */
const MAX_WRITES = 2

/** The sink writes of one shard's owner. */
export class ShardWrites {
  readonly #sink: Sink
  readonly #onLost: (error: unknown) => void
  readonly #underWay = new Set<Promise<boolean>>()
  #hasLost = false

  /** @param onLost called when rows were lost on their way: nothing that is part of them may be acknowledged any more */
  constructor(sink: Sink, onLost: (error: unknown) => void) {
    this.#sink = sink
    this.#onLost = onLost
  }

  /** Resolves when the rows of one more run may be made. */
  async room(): Promise<void> {
    await this.#sink.room()
    while (this.#underWay.size >= MAX_WRITES) await Promise.race(this.#underWay)
  }

  /** @param onDurable called at once when the rows are durable; does not throw */
  write(rows: SinkWrite, onDurable: () => void): void {
    const write = this.#sink.write(rows).then(
      () => {
        onDurable()
        return true
      },
      (error: unknown) => {
        this.#hasLost = true
        this.#onLost(error)
        return false
      },
    )
    this.#underWay.add(write)
    void write.then(() => this.#underWay.delete(write))
  }

  /** Resolves when all that was written so far is durable, or with `false` when any of it ever was lost. */
  async areDurable(): Promise<boolean> {
    await Promise.all(this.#underWay)
    return !this.#hasLost
  }
}
