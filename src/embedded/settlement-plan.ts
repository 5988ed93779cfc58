import { TelemetryError } from '#core/errors/telemetry-error'
import { batchId } from '#core/model/batch'
import type { Settlement } from '#core/transport/batch-stream'
import { type DeadRow, NEW_SHARD, type RetryRow, ROWS, type ShardRow } from './control-rows.js'
import type { Source } from './handed-out.js'
import type { Cursor, Loss, NumberingReader } from './numbering-reader.js'
import type { RecordRef } from './priority-window.js'
import type { Retry } from './retry-queue.js'
import type { RowWrite } from './row-store.js'
import type { Totals } from './segment-format.js'
import type { SettledSet } from './settled-set.js'

/** Longest name of a state row, UTF-8 bytes: LMDB's keys are bounded. */
const MAX_ROW_NAME_BYTES = 1500
/** Dead letters kept per shard; the oldest make room. */
const MAX_DEAD_LETTERS = 10_000
/** Bodies of dead letters kept per shard; beyond, only what is said of them. */
const MAX_DEAD_BYTES = 64 * 2 ** 20
const MAX_MESSAGE_LENGTH = 2000

/** What an entry is settled as. */
export interface LeasedSource {
  source: Source
  attempts: number
  deliveryCount: number
}

/** What one numbering's reader has to take over once the settlement is committed. */
export interface NumberingChange {
  refs: [Set<RecordRef>, Set<RecordRef>, Set<RecordRef>]
  settled: [SettledSet, SettledSet, SettledSet]
  cursor: Cursor
  losses: number
}

/** Everything that one settlement writes, and what is to be done in memory once it is written. Thread: main. */
export class SettlementPlan {
  readonly writes: RowWrite[] = []
  readonly retries: Retry[] = []
  readonly settled: Source[] = []
  readonly #shard: number
  readonly #nowUs: number
  readonly #counters: ShardRow
  readonly #bytesOfDead: (n: number) => number
  readonly #refs = new Map<NumberingReader, RecordRef[]>()

  /** @param bytesOfDead tells {@link DeadRow.bytes} of a dead letter */
  constructor(shard: number, counters: ShardRow | undefined, nowUs: number, bytesOfDead: (n: number) => number) {
    this.#shard = shard
    this.#bytesOfDead = bytesOfDead
    this.#counters = { ...(counters ?? NEW_SHARD) }
    this.#nowUs = nowUs
  }

  /** The entry leaves the stream. */
  remove(source: Source): void {
    this.settled.push(source)
    if (source.kind === 'log') {
      const refs = this.#refs.get(source.reader)
      if (refs === undefined) this.#refs.set(source.reader, [source.ref])
      else refs.push(source.ref)
    } else {
      this.#delete(ROWS.retry(this.#shard, source.retry.n))
      this.#delete(ROWS.retryBody(this.#shard, source.retry.n))
    }
  }

  /** The entry leaves the log, body and all, until it is due. @param body as it was leased */
  retry({ source, deliveryCount }: LeasedSource, how: Settlement['retry'][number], body: Uint8Array): void {
    const row: RetryRow = {
      ...this.#describe(source),
      dueAtMs: this.#nowUs / 1000 + how.afterMs,
      priority: how.priority,
      attempts: how.attempts,
      deliveryCount,
    }
    this.remove(source)
    const n = this.#counters.nextRetry++
    this.#put(ROWS.retry(this.#shard, n), row)
    this.#put(ROWS.retryBody(this.#shard, n), body)
    this.retries.push({ n, row })
  }

  /** The entry becomes a dead letter. @param body as it was leased */
  bury({ source, attempts }: LeasedSource, how: Settlement['deadLetter'][number], body: Uint8Array): void {
    const { handler, correlationId, samples, firstTakenAtUs } = this.#describe(source)
    const { class: kind, message, priority } = how
    this.remove(source)
    this.#addDead({ class: kind, message, correlationId, handler, priority, attempts, samples, firstTakenAtUs }, body)
  }

  /** @throws TLM_INVARIANT_BROKEN the row's name is too long */
  saveState(state: Settlement['state']): void {
    for (const [row, bytes] of state) {
      if (Buffer.byteLength(row) > MAX_ROW_NAME_BYTES) {
        const message = `The state row ${row.slice(0, 100)}... has a name of more than ${MAX_ROW_NAME_BYTES} bytes.`
        throw new TelemetryError('TLM_INVARIANT_BROKEN', message, { shard: this.#shard })
      }
      this.writes.push({ key: ROWS.state(this.#shard, row), value: bytes })
    }
  }

  /**
   * Ends the plan: cursors of the numberings it touches, and dead letters for what their logs have lost.
   *
   * @param cursors so far
   */
  finish(
    readers: Iterable<NumberingReader>,
    cursors: ReadonlyMap<string, Cursor>,
  ): Map<NumberingReader, NumberingChange> {
    const changes = new Map<NumberingReader, NumberingChange>()
    for (const reader of readers) {
      const refs = this.#refs.get(reader) ?? []
      if (refs.length === 0 && reader.losses.length === 0) continue
      const change = changeOf(reader, refs, cursors.get(reader.name))
      for (const loss of reader.losses) this.#addDead(this.#describeLoss(reader, loss), undefined)
      this.#put(ROWS.cursor(this.#shard, reader.name), change.cursor)
      changes.set(reader, change)
    }
    while (this.#counters.nextDead - this.#counters.firstDead > MAX_DEAD_LETTERS) this.#dropOldestDead()
    this.#put(ROWS.shard(this.#shard), this.#counters)
    return changes
  }

  #describe(source: Source): Omit<RetryRow, 'dueAtMs' | 'priority' | 'attempts' | 'deliveryCount'> {
    if (source.kind === 'retry') return source.retry.row
    const { handler, samples, bodyBytes, firstTakenAtUs, storedAtUs, seq } = source.ref.record
    const correlationId = correlationIdOf(source.reader, seq)
    return { handler, correlationId, samples, bytes: bodyBytes, firstTakenAtUs, storedAtUs }
  }

  #describeLoss(
    reader: NumberingReader,
    { firstSeq, lastSeq, samples, priority }: Loss,
  ): Omit<DeadRow, 'diedAtUs' | 'bytes'> {
    const correlationId = correlationIdOf(reader, lastSeq)
    const message = `Batches ${firstSeq} to ${lastSeq} cannot be read from ${reader.name}: the disk lost or damaged them.`
    const unknown = { handler: '*', attempts: 0, firstTakenAtUs: undefined }
    return { class: 'TLM_BATCH_UNREADABLE', message, correlationId, samples, priority, ...unknown }
  }

  #addDead(row: Omit<DeadRow, 'diedAtUs' | 'bytes'>, body: Uint8Array | undefined): void {
    const n = this.#counters.nextDead++
    const bytes = body?.byteLength ?? 0
    const isKept = body !== undefined && this.#counters.deadBytes + bytes <= MAX_DEAD_BYTES
    const message = row.message.slice(0, MAX_MESSAGE_LENGTH)
    const kept: DeadRow = { ...row, message, diedAtUs: this.#nowUs, bytes: isKept ? bytes : 0 }
    this.#put(ROWS.dead(this.#shard, n), kept)
    if (!isKept) return
    this.#put(ROWS.deadBody(this.#shard, n), body)
    this.#counters.deadBytes += bytes
  }

  #dropOldestDead(): void {
    const n = this.#counters.firstDead++
    this.#counters.deadBytes -= this.#bytesOfDead(n)
    this.#delete(ROWS.dead(this.#shard, n))
    this.#delete(ROWS.deadBody(this.#shard, n))
  }

  #put(key: RowWrite['key'], value: unknown): void {
    this.writes.push({ key, value })
  }

  #delete(key: RowWrite['key']): void {
    this.writes.push({ key, value: undefined })
  }
}

export function correlationIdOf({ numbering }: NumberingReader, seq: number): string {
  return numbering === undefined ? '' : batchId({ ...numbering, seq }, numbering.shard)
}

function changeOf(reader: NumberingReader, refs: readonly RecordRef[], before: Cursor | undefined): NumberingChange {
  const totals: Totals = { ...(before?.totals ?? reader.firstTotals) }
  for (const { record } of refs) addTo(totals, { entries: 1, samples: record.samples, bytes: record.bodyBytes })
  for (const loss of reader.losses) addTo(totals, loss)
  const byPriority = ([0, 1, 2] as const).map((priority) => {
    const own = new Set(refs.filter(({ record }) => record.priority === priority))
    const lost = reader.losses.filter((loss) => loss.priority === priority).map(({ lastSeq }) => lastSeq)
    return { refs: own, settled: reader.windows[priority].settledWith(own, lost, reader.knownSeq) }
  })
  const settled = byPriority.map((one) => one.settled) as NumberingChange['settled']
  const lossSeq = reader.losses.reduce((highest, { lastSeq }) => Math.max(highest, lastSeq), before?.lossSeq ?? 0)
  return {
    refs: byPriority.map((one) => one.refs) as NumberingChange['refs'],
    settled,
    cursor: { settled, totals, lossSeq },
    losses: reader.losses.length,
  }
}

function addTo(totals: Totals, { entries, samples, bytes }: Totals): void {
  totals.entries += entries
  totals.samples += samples
  totals.bytes += bytes
}
