import type { ControlRows, HandedSeqs, RowChange } from './control-rows.js'
import type { NumberingReader } from './numbering-reader.js'
import type { RecordRef } from './priority-window.js'
import type { Retry } from './retry-queue.js'

/** An entry as its owner leased it. */
export type Source = { kind: 'log'; reader: NumberingReader; ref: RecordRef } | { kind: 'retry'; retry: Retry }

/**
 * How often each entry was handed to an owner. The first time is told by one row per numbering, since owners take in
 * order; every further time by a row of the entry's own. Thread: main.
 */
export class HandedOut {
  readonly #rows: ControlRows
  /** As earlier owners left it. */
  readonly #before: ReadonlyMap<string, HandedSeqs>

  constructor(rows: ControlRows) {
    this.#rows = rows
    this.#before = new Map(rows.handed)
  }

  /**
   * Counts one more time for each.
   *
   * @returns the counts, and the changes to make before the entries are handed out
   */
  count(sources: readonly Source[]): { counts: number[]; changes: RowChange[] } {
    const changes: RowChange[] = []
    const raised = new Map<string, HandedSeqs>()
    const counts = sources.map((source) => {
      const count = this.#countOf(source) + 1
      if (count === 1 && source.kind === 'log') this.#raise(raised, source.reader.name, source.ref)
      else changes.push(['deliveries', keyOf(source), count])
      return count
    })
    for (const [name, seqs] of raised) changes.push(['handed', name, seqs])
    return { counts, changes }
  }

  /** What is to be deleted when the entry leaves the stream. */
  forget(source: Source): RowChange[] {
    const key = keyOf(source)
    return this.#rows.deliveries.has(key) ? [['deliveries', key, undefined]] : []
  }

  #countOf(source: Source): number {
    const known = this.#rows.deliveries.get(keyOf(source))
    if (known !== undefined) return known
    if (source.kind === 'retry') return source.retry.row.deliveryCount
    const { seq, priority } = source.ref.record
    return seq <= (this.#before.get(source.reader.name)?.[priority] ?? 0) ? 1 : 0
  }

  #raise(raised: Map<string, HandedSeqs>, name: string, { record }: RecordRef): void {
    const seqs = raised.get(name) ?? [...(this.#rows.handed.get(name) ?? ([0, 0, 0] satisfies HandedSeqs))]
    seqs[record.priority] = Math.max(seqs[record.priority], record.seq)
    raised.set(name, seqs as HandedSeqs)
  }
}

function keyOf(source: Source): string {
  return source.kind === 'retry' ? `retry ${source.retry.n}` : `${source.reader.name} ${source.ref.record.seq}`
}
