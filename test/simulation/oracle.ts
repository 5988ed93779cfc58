import { BatchDecoder } from '#core/codec/batch-codec'
import { SUSPECT_ROW } from '#src/processor/consume/suspect-lane'
import { isDeadly, isDubious, type Mark, markOf } from './actors/marks.js'
import type { SinkTable } from './actors/sink-table.js'
import type { StoreWatcher } from './store/script-call.js'

/** A batch as the store has it. */
export interface KnownBatch {
  readonly id: string
  readonly shard: number
  readonly mark: Mark
  readonly samples: readonly { device: number; sequence: number }[]
}

/** What a store that goes back in time takes along. */
interface Memory {
  batches: Map<string, KnownBatch>
  nextSequences: number[]
  settled: Set<string>
  dead: Set<string>
  high: Map<string, number>
}

/** Deaths beyond the entry's own making after which even an innocent one may be convicted: it was alone each time. */
const EXCUSING_DEATHS = 2
const EXCUSING_TAKEOVERS = 3

const decoder = new BatchDecoder()

/**
 * Knows what is in the store and what may happen there, by looking on: each batch is stored once and in order, settled
 * once, by the owner, and not before its findings are durable; only batches that deserve it become dead letters.
 */
export class Oracle implements StoreWatcher {
  /** Times the store went back. */
  travels = 0
  /** Samples that were stored, and are not since the store went back. They may come again. */
  readonly lost = new Map<string, KnownBatch>()
  readonly #violated: (what: string) => void
  readonly #excused: (batchId: string) => void
  readonly #deviceOf: (name: string) => number
  readonly #sink: SinkTable
  readonly #innocentDeaths = new Map<string, number>()
  readonly #takeovers = new Map<string, number>()
  /** Processes that an entry has killed. */
  readonly #killers = new Set<string>()
  readonly #rolledBack = new Map<string, number>()
  #now: Memory = { batches: new Map(), nextSequences: [], settled: new Set(), dead: new Set(), high: new Map() }

  /**
   * @param violated hears what must not be
   * @param excused hears of innocents that were convicted because everything died around them while they ran alone
   */
  constructor(
    sink: SinkTable,
    deviceOf: (name: string) => number,
    violated: (what: string) => void,
    excused: (batchId: string) => void,
  ) {
    this.#sink = sink
    this.#deviceOf = deviceOf
    this.#violated = violated
    this.#excused = excused
  }

  /** In the order in which they were stored. */
  get batches(): ReadonlyMap<string, KnownBatch> {
    return this.#now.batches
  }

  get settled(): ReadonlySet<string> {
    return this.#now.settled
  }

  get dead(): ReadonlySet<string> {
    return this.#now.dead
  }

  /** Sequence after the last that was stored of the device. */
  nextSequenceOf(device: number): number {
    return this.#now.nextSequences[device] ?? 0
  }

  /** A run in which the batch was alone ended for no fault of its own. */
  innocentDeath(batchId: string): void {
    this.#innocentDeaths.set(batchId, (this.#innocentDeaths.get(batchId) ?? 0) + 1)
  }

  killedByEntry(holder: string): void {
    this.#killers.add(holder)
  }

  /** A hub says so. */
  rolledBack(hub: string, shard: number, samples: number): void {
    if (this.travels === 0) this.#violated(`${hub} says that ${samples} samples of shard ${shard} were rolled back`)
    this.#rolledBack.set(hub, (this.#rolledBack.get(hub) ?? 0) + samples)
  }

  appended(shard: number, id: string, body: Uint8Array): void {
    const { batches, nextSequences } = this.#now
    const { count, values, series, seriesIndex, sequences } = decoder.decode(new Uint8Array(body))
    const samples = Array.from({ length: count }, (_, row) => {
      return { device: this.#deviceOf(series[seriesIndex[row]].device), sequence: sequences[row] }
    })
    if (batches.has(id)) this.#violated(`batch ${id} was stored twice`)
    for (const { device, sequence } of samples) {
      const expected = nextSequences[device] ?? 0
      if (sequence < expected) this.#violated(`sample ${sequence} of device ${device} was stored twice, in ${id}`)
      if (sequence > expected && this.travels === 0) {
        this.#violated(`samples ${expected}..${sequence - 1} of device ${device} were passed over, in ${id}`)
      }
      nextSequences[device] = sequence + 1
    }
    batches.set(id, { id, shard, mark: markOf(values, count), samples })
    this.lost.delete(id)
  }

  highWater(shard: number, field: string, before: number, after: number): void {
    const key = `${shard} ${field}`
    const known = this.#now.high.get(key) ?? 0
    if (after <= before || before !== known) {
      this.#violated(`the high water of ${field} in shard ${shard} went from ${known} to ${after}`)
    }
    this.#now.high.set(key, after)
  }

  takenOver(former: string, state: ReadonlyMap<string, Uint8Array>): void {
    const row = state.get(SUSPECT_ROW)
    // What another entry did to the process is no excuse: it should not have been run beside the one on trial.
    if (row === undefined || this.#killers.has(former)) return
    const { correlationId } = JSON.parse(new TextDecoder().decode(row)) as { correlationId: string }
    this.#takeovers.set(correlationId, (this.#takeovers.get(correlationId) ?? 0) + 1)
  }

  settlementMade(shard: number, isOwner: boolean, acked: readonly string[], dead: readonly string[]): void {
    if (!isOwner)
      this.#violated(`a former owner of shard ${shard} settled ${[...acked, ...dead].join(', ') || 'state'}`)
    for (const id of acked) {
      const isDurable = this.#sink.get(`batch/${id}`) !== undefined
      if (!isDurable) this.#violated(`batch ${id} was acknowledged before its findings were durable`)
    }
    for (const id of dead) {
      this.#now.dead.add(id)
      if (!this.#deserves(id)) this.#violated(`batch ${id} is innocent, and became a dead letter`)
    }
    for (const id of [...acked, ...dead]) {
      if (this.#now.settled.has(id)) this.#violated(`batch ${id} was settled twice`)
      this.#now.settled.add(id)
    }
  }

  #deserves(id: string): boolean {
    const mark = this.#now.batches.get(id)?.mark ?? 'none'
    if (isDeadly(mark) || isDubious(mark)) return true
    const hadBadLuck =
      (this.#innocentDeaths.get(id) ?? 0) >= EXCUSING_DEATHS || (this.#takeovers.get(id) ?? 0) >= EXCUSING_TAKEOVERS
    if (hadBadLuck) this.#excused(id)
    return hadBadLuck
  }

  remember(): Memory {
    const { batches, nextSequences, settled, dead, high } = this.#now
    return {
      batches: new Map(batches),
      nextSequences: [...nextSequences],
      settled: new Set(settled),
      dead: new Set(dead),
      high: new Map(high),
    }
  }

  wentBackTo(memory: unknown): void {
    this.travels++
    const former = this.#now.batches
    this.#now = memory as Memory
    // The same moment may be gone back to again.
    this.#now = this.remember()
    for (const [id, batch] of former) if (!this.#now.batches.has(id)) this.lost.set(id, batch)
  }
}
