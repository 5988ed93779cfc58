import { type HandedRow, ROWS } from './control-rows.js'
import type { NumberingReader } from './numbering-reader.js'
import type { RecordRef } from './priority-window.js'
import type { Retry } from './retry-queue.js'
import type { RowKey, RowStore, RowWrite } from './row-store.js'

/** An entry as its owner leased it. */
export type Source = { kind: 'log'; reader: NumberingReader; ref: RecordRef } | { kind: 'retry'; retry: Retry }

/**
 * How often each entry was handed to an owner. The first time is told by one row per numbering, since owners take in
 * order; every further time by a row of the entry's own. Thread: main.
 */
export class HandedOut {
  readonly #shard: number
  /** Highest seq handed out by priority, by numbering: by earlier owners, and by all. */
  readonly #before = new Map<string, HandedRow>()
  readonly #now = new Map<string, HandedRow>()
  /** Of entries handed out more than once, by their row's name. */
  readonly #counts = new Map<string, number>()

  constructor(session: RowStore, shard: number) {
    this.#shard = shard
    for (const { key, value } of session.list<HandedRow>(ROWS.handedOf(shard))) {
      this.#before.set(key[2] as string, value)
      this.#now.set(key[2] as string, value)
    }
    for (const { key, value } of session.list<number>(ROWS.deliveriesOf(shard))) this.#counts.set(String(key), value)
  }

  /**
   * Counts one more time for each.
   *
   * @returns the counts, and what is to be written before the entries are handed out
   */
  count(sources: readonly Source[]): { counts: number[]; writes: RowWrite[] } {
    const writes: RowWrite[] = []
    const raised = new Map<string, HandedRow>()
    const counts = sources.map((source) => {
      const count = this.#countOf(source) + 1
      if (count > 1) writes.push({ key: this.#keyOf(source), value: count })
      else if (source.kind === 'log') this.#raise(raised, source.reader.name, source.ref)
      return count
    })
    for (const [name, row] of raised) writes.push({ key: ROWS.handed(this.#shard, name), value: row })
    for (const { key, value } of writes) {
      if (key[0] === 'deliveries') this.#counts.set(String(key), value as number)
      else this.#now.set(key[2] as string, value as HandedRow)
    }
    return { counts, writes }
  }

  /** What is to be deleted when the entries have left the stream. */
  forget(sources: readonly Source[]): RowWrite[] {
    const keys = sources.map((source) => this.#keyOf(source)).filter((key) => this.#counts.delete(String(key)))
    return keys.map((key) => ({ key, value: undefined }))
  }

  #countOf(source: Source): number {
    const known = this.#counts.get(String(this.#keyOf(source)))
    if (known !== undefined) return known
    if (source.kind === 'retry') return source.retry.row.deliveryCount
    const { seq, priority } = source.ref.record
    return seq <= (this.#before.get(source.reader.name)?.toSeq[priority] ?? 0) ? 1 : 0
  }

  #keyOf(source: Source): RowKey {
    return source.kind === 'retry'
      ? ROWS.deliveries(this.#shard, 'retry', source.retry.n)
      : ROWS.deliveries(this.#shard, source.reader.name, source.ref.record.seq)
  }

  #raise(raised: Map<string, HandedRow>, name: string, { record }: RecordRef): void {
    const toSeq = raised.get(name)?.toSeq ?? [...(this.#now.get(name)?.toSeq ?? [0, 0, 0])]
    toSeq[record.priority] = Math.max(toSeq[record.priority], record.seq)
    raised.set(name, { toSeq: toSeq as HandedRow['toSeq'] })
  }
}
