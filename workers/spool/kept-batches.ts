import type { Clock } from '#core/time/clock'
import type { SealedBatch } from '#core/transport/batch-stream'

/** Batches per numbering whose samples stay known when their bodies are gone. */
const MAX_KNOWN = 4096

interface Kept {
  readonly seq: number
  readonly samples: number
  /** Absent: no longer kept. */
  batch: SealedBatch | undefined
  readonly atMs: number
}

/** What a store that went back in time lacks. */
export interface Missing {
  /** To send again, ascending. */
  kept: SealedBatch[]
  /** Samples that are gone. At most so many when the high water lies further back than 4096 batches. */
  lostSamples: number
  /** The numbers of those, as far as they are known. */
  lostSeqs: number[]
}

/**
 * Delivered batches, kept in memory for a while: a store that went back in time is given them again. Bounded by bytes
 * and age; of those that are gone it is known how many samples they had.
 *
 * Thread: a drain worker's. Cost: a copy of each body.
 */
export class KeptBatches {
  readonly #bounds: { bytes: number; ageMs: number }
  readonly #clock: Clock
  /** By numbering and shard, ascending by seq. */
  readonly #known = new Map<string, { list: Kept[]; forgottenSamples: number; forgottenSeq: number }>()
  /** With a body, oldest first; those before `#first` are done with. */
  #queue: Kept[] = []
  #first = 0
  #bytes = 0

  constructor(bounds: { bytes: number; ageMs: number }, clock: Clock) {
    this.#bounds = bounds
    this.#clock = clock
  }

  /** Of the bodies kept. */
  get bytes(): number {
    return this.#bytes
  }

  /** The store has the batch. */
  add(batch: SealedBatch): void {
    const kept = { seq: batch.seq, samples: batch.samples, batch: withOwnBody(batch), atMs: this.#clock.monotonicMs() }
    if (!this.#learn(batch, kept)) return
    this.#queue.push(kept)
    this.#bytes += batch.body.byteLength
    this.trim()
  }

  /** The store has a batch of which no body is there: a worker before this one delivered it. */
  learn(numbering: Pick<SealedBatch, 'producer' | 'epoch' | 'shard'>, seq: number, samples: number): void {
    this.#learn(numbering, { seq, samples, batch: undefined, atMs: 0 })
  }

  /** What of the numbering of `batch` lies after the store's high water and before `batch`. Forgets what is gone. */
  missing(batch: SealedBatch, highWaterSeq: number): Missing {
    const known = this.#known.get(keyOf(batch))
    if (known === undefined) return { kept: [], lostSamples: 0, lostSeqs: [] }
    let lostSamples = 0
    const lostSeqs: number[] = []
    if (highWaterSeq < known.forgottenSeq) {
      lostSamples += known.forgottenSamples
      known.forgottenSamples = 0
      known.forgottenSeq = 0
    }
    const kept: SealedBatch[] = []
    known.list = known.list.filter((entry) => {
      if (entry.seq <= highWaterSeq || entry.seq >= batch.seq) return true
      if (entry.batch !== undefined) {
        kept.push(entry.batch)
        return true
      }
      lostSamples += entry.samples
      lostSeqs.push(entry.seq)
      return false
    })
    return { kept, lostSamples, lostSeqs }
  }

  /** Lets go of what is over the bounds. */
  trim(): void {
    const oldestMs = this.#clock.monotonicMs() - this.#bounds.ageMs
    while (this.#first < this.#queue.length) {
      const oldest = this.#queue[this.#first]
      if (this.#bytes <= this.#bounds.bytes && oldest.atMs >= oldestMs) break
      this.#bytes -= oldest.batch?.body.byteLength ?? 0
      oldest.batch = undefined
      this.#first++
    }
    if (this.#first > 1024 && this.#first * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#first)
      this.#first = 0
    }
  }

  #learn(numbering: Pick<SealedBatch, 'producer' | 'epoch' | 'shard'>, entry: Kept): boolean {
    const key = keyOf(numbering)
    let known = this.#known.get(key)
    if (known === undefined) {
      known = { list: [], forgottenSamples: 0, forgottenSeq: 0 }
      this.#known.set(key, known)
    }
    if (entry.seq <= known.forgottenSeq) return false
    let at = known.list.length
    while (at > 0 && known.list[at - 1].seq > entry.seq) at--
    // Sent again, as to a store that had lost it: it is here already.
    if (known.list[at - 1]?.seq === entry.seq) return false
    known.list.splice(at, 0, entry)
    if (known.list.length > 2 * MAX_KNOWN) {
      for (const gone of known.list.splice(0, MAX_KNOWN)) {
        known.forgottenSamples += gone.samples
        known.forgottenSeq = gone.seq
        this.#bytes -= gone.batch?.body.byteLength ?? 0
        gone.batch = undefined
      }
    }
    return true
  }
}

/** A body of its own: what came from disk is a view of a larger buffer. */
function withOwnBody(batch: SealedBatch): SealedBatch {
  const { producer, epoch, seq, shard, priority, handler, samples, firstTakenAtUs, body } = batch
  const own = body.byteLength === body.buffer.byteLength ? body : Uint8Array.from(body)
  return { producer, epoch, seq, shard, priority, handler, samples, firstTakenAtUs, body: own }
}

function keyOf({ producer, epoch, shard }: Pick<SealedBatch, 'producer' | 'epoch' | 'shard'>): string {
  return `${producer} ${epoch} ${shard}`
}
