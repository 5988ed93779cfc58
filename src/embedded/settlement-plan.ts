import { batchId } from '#core/model/batch'
import type { DeadLetterOrder, RetryOrder, Settlement } from '#core/transport/batch-stream'
import type { DeadLetterLimits } from '#core/transport/dead-letters'
import { fingerprintOf } from '#core/transport/dead-letters/fingerprint'
import type { BodyFiles } from './body-files.js'
import type { ControlRows, Cursor, DeadRow, RetryRow, RowChange } from './control-rows.js'
import { planDrops } from './dead-letter-plan.js'
import type { NumberedDead } from './dead-rows.js'
import type { HandedOut, Source } from './handed-out.js'
import type { Loss, NumberingReader } from './numbering-reader.js'
import type { RecordRef } from './priority-window.js'
import type { Retry } from './retry-queue.js'
import type { Totals } from './segment-format.js'
import type { SettledSet } from './settled-set.js'

const MAX_MESSAGE_LENGTH = 2000

/** An entry that is leased. */
export interface LeasedSource {
  source: Source
  attempts: number
  deliveryCount: number
}

/** Who buries, and how much room there is. */
export interface Burial {
  holder: string
  limits: DeadLetterLimits
}

/** What one numbering's reader has to take over once the settlement is part of the control log. */
export interface NumberingChange {
  refs: [Set<RecordRef>, Set<RecordRef>, Set<RecordRef>]
  settled: [SettledSet, SettledSet, SettledSet]
  losses: number
}

/** One settlement as changes of rows, and what is to be done in memory once they are made. Thread: main. */
export class SettlementPlan {
  readonly changes: RowChange[] = []
  readonly retries: Retry[] = []
  /** Files that no row names any more. */
  readonly spentBodies: string[] = []
  readonly #rows: ControlRows
  readonly #handedOut: HandedOut
  readonly #bodies: BodyFiles
  readonly #nowUs: number
  readonly #refs = new Map<NumberingReader, RecordRef[]>()
  readonly #newDead: NumberedDead[] = []
  readonly #burial: Burial
  #next: number

  constructor(rows: ControlRows, handedOut: HandedOut, bodies: BodyFiles, burial: Burial, nowUs: number) {
    this.#rows = rows
    this.#burial = burial
    this.#handedOut = handedOut
    this.#bodies = bodies
    this.#nowUs = nowUs
    this.#next = rows.counters.get('next') ?? 1
  }

  /** The entry leaves the stream. */
  remove(source: Source): void {
    this.changes.push(...this.#handedOut.forget(source))
    if (source.kind === 'log') {
      const refs = this.#refs.get(source.reader)
      if (refs === undefined) this.#refs.set(source.reader, [source.ref])
      else refs.push(source.ref)
    } else {
      this.changes.push(['retry', source.retry.n, undefined])
      this.spentBodies.push(source.retry.row.bodyFile)
    }
  }

  /** The entry leaves the log, body and all, until it is due. */
  async retry({ source, deliveryCount }: LeasedSource, how: RetryOrder): Promise<void> {
    const { handler, correlationId, samples, bytes, firstTakenAtUs, storedAtUs, generation } = describe(source)
    const row: RetryRow = {
      dueAtMs: this.#nowUs / 1000 + how.afterMs,
      priority: how.priority,
      attempts: how.attempts,
      deliveryCount: how.isUntouched ? 0 : deliveryCount,
      ...{ handler: how.handler ?? handler, correlationId, samples, bytes, firstTakenAtUs, storedAtUs, generation },
      bodyFile: await this.#bodies.write(await bodyOf(source, this.#bodies)),
    }
    this.remove(source)
    const n = this.#next++
    this.changes.push(['retry', n, row])
    this.retries.push({ n, row })
  }

  /** The entry becomes a dead letter, or its parts do. @param orders of the entry; see `DeadLetterOrder.part` */
  async bury({ source, attempts, deliveryCount }: LeasedSource, orders: readonly DeadLetterOrder[]): Promise<void> {
    const { handler, correlationId, samples, firstTakenAtUs, generation } = describe(source)
    for (const { class: kind, message, priority, part } of orders) {
      const whole = { correlationId, samples, firstTakenAtUs, body: undefined }
      const { body = await bodyOf(source, this.#bodies), ...about } = part ?? whole
      const bodyFile = await this.#bodies.write(body)
      const said = { class: kind, message, handler, priority, attempts, deliveryCount, ...about }
      this.#addDead({ ...said, bytes: body.length, bodyFile, ...(generation && { generation }) })
    }
    this.remove(source)
  }

  saveState(state: Settlement['state']): void {
    for (const [row, bytes] of state) this.changes.push(['state', row, bytes])
  }

  /** Ends the plan: cursors of the numberings it touches, and dead letters for what their logs have lost. */
  finish(readers: Iterable<NumberingReader>): Map<NumberingReader, NumberingChange> {
    const byReader = new Map<NumberingReader, NumberingChange>()
    for (const reader of readers) {
      const refs = this.#refs.get(reader) ?? []
      if (refs.length === 0 && reader.losses.length === 0) continue
      const { change, cursor } = changeOf(reader, refs, this.#rows.cursors.get(reader.name))
      for (const loss of reader.losses) this.#addDead(describeLoss(reader, loss))
      this.changes.push(['cursor', reader.name, cursor])
      byReader.set(reader, change)
    }
    if (this.#newDead.length > 0) {
      const drops = planDrops(this.#rows, this.#newDead, this.#burial.limits, this.#nowUs)
      this.changes.push(...drops.changes)
      this.spentBodies.push(...drops.spentBodies)
    }
    this.changes.push(['counter', 'next', this.#next])
    return byReader
  }

  #addDead(row: Omit<DeadRow, 'diedAtUs'>): void {
    const n = this.#next++
    const message = row.message.slice(0, MAX_MESSAGE_LENGTH)
    const fingerprint = fingerprintOf(row.class, row.message)
    const dead = { ...row, message, fingerprint, holder: this.#burial.holder, diedAtUs: this.#nowUs }
    this.changes.push(['dead', n, dead])
    this.#newDead.push([n, dead])
  }
}

/** What is known of a leased entry besides its body. */
export function describe(source: Source): Omit<RetryRow, 'dueAtMs' | 'attempts' | 'deliveryCount' | 'bodyFile'> {
  if (source.kind === 'retry') return source.retry.row
  const { priority, handler, samples, bodyBytes, firstTakenAtUs, storedAtUs, seq } = source.ref.record
  const correlationId = correlationIdOf(source.reader, seq)
  return { priority, handler, correlationId, samples, bytes: bodyBytes, firstTakenAtUs, storedAtUs }
}

/** @throws errors of the file system; an entry that was leased can be read */
async function bodyOf(source: Source, bodies: BodyFiles): Promise<Uint8Array> {
  if (source.kind === 'retry') return bodies.read(source.retry.row.bodyFile)
  const body = await source.reader.readBody(source.ref)
  if (body !== undefined) return body
  throw new Error(`batch ${correlationIdOf(source.reader, source.ref.record.seq)} cannot be read any more`)
}

function correlationIdOf({ numbering }: NumberingReader, seq: number): string {
  return numbering === undefined ? '' : batchId({ ...numbering, seq }, numbering.shard)
}

function describeLoss(
  reader: NumberingReader,
  { firstSeq, lastSeq, samples, priority }: Loss,
): Omit<DeadRow, 'diedAtUs'> {
  const message = `Batches ${firstSeq} to ${lastSeq} cannot be read from ${reader.name}: the disk lost or damaged them.`
  const unknown = { handler: '*', attempts: 0, firstTakenAtUs: undefined, bytes: 0, bodyFile: undefined }
  const correlationId = correlationIdOf(reader, lastSeq)
  return { class: 'unreadable', message, correlationId, samples, priority, ...unknown }
}

function changeOf(
  reader: NumberingReader,
  refs: readonly RecordRef[],
  before: Cursor | undefined,
): { change: NumberingChange; cursor: Cursor } {
  const { firstTotals } = reader
  const totals: Totals = { ...(before && before.totals.entries >= firstTotals.entries ? before.totals : firstTotals) }
  for (const { record } of refs) addTo(totals, { entries: 1, samples: record.samples, bytes: record.bodyBytes })
  for (const loss of reader.losses) addTo(totals, loss)
  const byPriority = ([0, 1, 2] as const).map((priority) => {
    const own = new Set(refs.filter(({ record }) => record.priority === priority))
    const lost = reader.losses.filter((loss) => loss.priority === priority).map(({ lastSeq }) => lastSeq)
    return { refs: own, settled: reader.windows[priority].settledWith(own, lost, reader.knownSeq) }
  })
  const refSets = byPriority.map((one) => one.refs) as NumberingChange['refs']
  const settled = byPriority.map((one) => one.settled) as NumberingChange['settled']
  const lossSeq = reader.losses.reduce((highest, { lastSeq }) => Math.max(highest, lastSeq), before?.lossSeq ?? 0)
  return { change: { refs: refSets, settled, losses: reader.losses.length }, cursor: { settled, totals, lossSeq } }
}

function addTo(totals: Totals, { entries, samples, bytes }: Totals): void {
  totals.entries += entries
  totals.samples += samples
  totals.bytes += bytes
}
