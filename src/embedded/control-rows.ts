import type { Priority } from '#core/model/priority'
import { DeadRows } from './dead-rows.js'
import type { Totals } from './segment-format.js'
import type { SettledSet } from './settled-set.js'

/** How far a numbering is settled. */
export interface Cursor {
  /** By priority. */
  settled: [SettledSet, SettledSet, SettledSet]
  /** Of all settled records. */
  totals: Totals
  /** Losses up to here are written down already. */
  lossSeq: number
}

/** An entry that waits to be tried again. */
export interface RetryRow {
  dueAtMs: number
  priority: Priority
  attempts: number
  deliveryCount: number
  handler: string
  correlationId: string
  samples: number
  bytes: number
  firstTakenAtUs: number
  storedAtUs: number
  /** Name of the file that holds the body. */
  bodyFile: string
  /** How often it was replayed from the dead letters; absent: never. */
  generation?: number | undefined
}

/** An entry that nobody could process, or a stretch of the log that nobody could read. */
export interface DeadRow {
  class: string
  message: string
  correlationId: string
  handler: string
  priority: Priority | undefined
  attempts: number
  samples: number
  firstTakenAtUs: number | undefined
  diedAtUs: number
  /** Of the body, when it is kept. */
  bytes: number
  bodyFile: string | undefined
  /** These are absent in rows of earlier versions. */
  fingerprint?: string
  deliveryCount?: number
  generation?: number
  holder?: string
}

/** Stands for the dead letters of those who only count them. */
const COUNTED_ONLY: DeadRow = {
  ...{ class: '', message: '', correlationId: '', handler: '', priority: undefined, attempts: 0, samples: 0 },
  ...{ firstTakenAtUs: undefined, diedAtUs: 0, bytes: 0, bodyFile: undefined },
}

/** Highest seq handed out by priority. */
export type HandedSeqs = [high: number, normal: number, low: number]

/** What each table holds, by key. */
interface Tables {
  /** By numbering. */
  cursor: Cursor
  /** By numbering. */
  handed: HandedSeqs
  /** Times that an entry was handed out; of one in the log from the second on. */
  deliveries: number
  retry: RetryRow
  dead: DeadRow
  /** Rows of the handlers' state. */
  state: Uint8Array
  /** `next`: number of the next retry or dead letter; `dead-<what>`: how many dead letters it was done to. */
  counter: number
}

type Table = keyof Tables

/** One row put, or deleted when `value` is undefined. */
export type RowChange = { [T in Table]: [table: T, key: string | number, value: Tables[T] | undefined] }[Table]

/** All that is known of a shard besides its log: small, so an owner keeps it in memory. Thread: main. */
export class ControlRows {
  readonly cursors = new Map<string, Cursor>()
  readonly handed = new Map<string, HandedSeqs>()
  readonly deliveries = new Map<string, number>()
  readonly retries = new Map<number, RetryRow>()
  /** Oldest first. */
  readonly dead = new DeadRows()
  readonly state = new Map<string, Uint8Array>()
  readonly counters = new Map<string, number>()
  readonly #keepsDead: boolean
  readonly #tables: { [T in Table]: Map<string | number, unknown> }

  /**
   * @param keepsState false: state rows are passed over, for those who only look
   * @param keepsDead false: dead letters are counted, for those who only measure
   */
  constructor(keepsState = true, keepsDead = true) {
    this.#keepsDead = keepsDead
    this.#tables = {
      cursor: this.cursors,
      handed: this.handed,
      deliveries: this.deliveries,
      retry: this.retries,
      dead: this.dead,
      state: keepsState ? this.state : new Map(),
      counter: this.counters,
    } as { [T in Table]: Map<string | number, unknown> }
  }

  apply(changes: readonly RowChange[]): void {
    for (const [table, key, value] of changes) {
      const rows = this.#tables[table]
      if (value === undefined || value === null) rows.delete(key)
      else if (table === 'dead' && !this.#keepsDead) rows.set(key, COUNTED_ONLY)
      else if (table !== 'state') rows.set(key, value)
      else if (rows === this.state) rows.set(key, new Uint8Array(value)) // its own bytes, not a view of a file's
    }
  }

  /** All rows as changes of an empty set. */
  snapshot(): RowChange[] {
    const changes: RowChange[] = []
    for (const [table, rows] of Object.entries(this.#tables)) {
      for (const [key, value] of rows) changes.push([table, key, value] as RowChange)
    }
    return changes
  }
}
