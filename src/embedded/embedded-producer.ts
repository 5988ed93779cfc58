import type { Clock } from '#core/time/clock'
import type { AppendOutcome, BatchProducer, SealedBatch } from '#core/transport/batch-stream'
import { NumberingLog } from './numbering-log.js'
import { MAX_BODY_BYTES } from './segment-format.js'
import { SpaceGuard } from './space-guard.js'
import { type StoreDirectory, shardFolder } from './store-directory.js'
import { refusalOf } from './store-failure.js'

/** Logs kept open; more numberings than that are opened again when they come. */
const MAX_OPEN_LOGS = 256
const MAX_PRODUCER_LENGTH = 128
const MAX_HANDLER_LENGTH = 128

/**
 * Writes batches into the embedded store's logs. Needs no native code and holds nothing that could be lost with its
 * thread, see {@link NumberingLog}: the thread may be terminated at any moment, the next producer goes on.
 */
export class EmbeddedProducer implements BatchProducer {
  readonly #store: StoreDirectory
  readonly #clock: Clock
  readonly #space: SpaceGuard
  /** Least recently used first. */
  readonly #logs = new Map<string, NumberingLog>()

  constructor(store: StoreDirectory, clock: Clock) {
    this.#store = store
    this.#clock = clock
    this.#space = new SpaceGuard(store, clock)
  }

  get shards(): number {
    return this.#store.shards
  }

  /** Done when it returns: the promise only fits the contract. */
  async append(batches: readonly SealedBatch[]): Promise<AppendOutcome[]> {
    const outcomes = batches.map((batch) => this.#findFault(batch))
    const room = this.#findRoom(batches)
    for (const [key, indices] of groupByNumbering(batches, outcomes)) {
      const group = indices.map((i) => batches[i])
      // A full store still tells duplicates and gaps: a producer must learn what became of what it sent.
      const results = this.#logOf(key, group[0]).append(group, room)
      for (const [at, i] of indices.entries()) outcomes[i] = results[at]
    }
    return outcomes as AppendOutcome[]
  }

  async close(): Promise<void> {
    for (const log of this.#logs.values()) log.close()
    this.#logs.clear()
  }

  #findRoom(batches: readonly SealedBatch[]): AppendOutcome | undefined {
    try {
      return this.#space.check(batches.reduce((sum, { body }) => sum + body.byteLength, 0))
    } catch (error) {
      return refusalOf(error, this.#store.directory)
    }
  }

  #findFault({
    producer,
    epoch,
    seq,
    after = seq - 1,
    shard,
    priority,
    handler,
    body,
  }: SealedBatch): AppendOutcome | undefined {
    const fault = (problem: string): AppendOutcome => ({
      kind: 'refused',
      reason: 'misconfigured',
      message: `Batch ${seq} of producer ${producer.slice(0, MAX_PRODUCER_LENGTH)}: ${problem}.`,
    })
    if (producer === '' || producer.length > MAX_PRODUCER_LENGTH) {
      return fault(`the producer's name has ${producer.length} characters, not 1..${MAX_PRODUCER_LENGTH}`)
    }
    if (!Number.isSafeInteger(epoch) || epoch < 0) return fault(`epoch ${epoch} is no non-negative integer`)
    if (!Number.isSafeInteger(seq) || !Number.isSafeInteger(after) || after < 0 || seq <= after) {
      return fault(`it says to come after ${after}; both must be integers, growing, from 0`)
    }
    if (!Number.isInteger(shard) || shard < 0 || shard >= this.shards) {
      return fault(`shard ${shard} is not among the store's ${this.shards}`)
    }
    if (priority !== 0 && priority !== 1 && priority !== 2) return fault(`priority ${String(priority)} is unknown`)
    if (handler.length > MAX_HANDLER_LENGTH) return fault(`the handler's name is longer than ${MAX_HANDLER_LENGTH}`)
    if (body.byteLength > MAX_BODY_BYTES) return fault(`its body is larger than ${MAX_BODY_BYTES} bytes`)
    return undefined
  }

  #logOf(key: string, { producer, epoch, shard }: SealedBatch): NumberingLog {
    const known = this.#logs.get(key)
    this.#logs.delete(key)
    const folder = shardFolder(this.#store, shard)
    const log = known ?? new NumberingLog(folder, { producer, epoch, shard }, this.#store.segmentBytes, this.#clock)
    this.#logs.set(key, log)
    if (this.#logs.size > MAX_OPEN_LOGS) {
      const [oldest, unused] = this.#logs.entries().next().value!
      unused.close()
      this.#logs.delete(oldest)
    }
    return log
  }
}

/** Indices of the batches that have no outcome yet, in order, by numbering. */
function groupByNumbering(
  batches: readonly SealedBatch[],
  outcomes: readonly (AppendOutcome | undefined)[],
): Map<string, number[]> {
  const groups = new Map<string, number[]>()
  for (const [i, { producer, epoch, shard }] of batches.entries()) {
    if (outcomes[i] !== undefined) continue
    const key = `${shard} ${epoch} ${producer}`
    const indices = groups.get(key)
    if (indices === undefined) groups.set(key, [i])
    else indices.push(i)
  }
  return groups
}
