import { createHash, randomUUID } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isOfBatch } from '#core/model/batch'
import type { Clock } from '#core/time/clock'
import {
  type DeadLetter,
  type DeadLetterBox,
  type DeadLetterFilter,
  type DeadLetterGroup,
  type DeadLetterPage,
  type DeadLetterQuery,
  type DeadLetterTotals,
  type ReplayOutcome,
  UNGROUPED,
} from '#core/transport/dead-letters'
import { deviceMark } from '#core/transport/dead-letters/device-mark'
import { mergeGroups } from '#core/transport/dead-letters/group-merge'
import { pageOverShards, type ScanStart, type ShardScan } from '#core/transport/dead-letters/page-merge'
import { comparePositions, parseId } from '#core/transport/dead-letters/positions'
import { ControlView } from './control-view.js'
import type { DeskOrder } from './dead-letter-plan.js'
import { type DeadRows, letterOf, type NumberedDead, positionOf } from './dead-rows.js'
import { writeJson } from './json-file.js'
import { openLeaseClock } from './lease-clock.js'
import { ShardOrders } from './shard-orders.js'
import { type StoreDirectory, shardFolders } from './store-directory.js'
import { isMissing, storeError } from './store-failure.js'

/** Rows that one look through a shard looks at: some 0.2 ms. */
const ROWS_PER_LOOK = 4096
/** What reading a body counts for. */
const ROWS_PER_BODY = 256

/**
 * Dead letters of the embedded store: read from the control logs by whoever asks, changed by the owner of their shard, or
 * by the box itself while nobody owns it.
 *
 * Thread: main. Cost of a page: what came to the control logs since the last one, and a bounded look at the letters.
 */
export class EmbeddedDeadLetterBox implements DeadLetterBox {
  readonly #store: StoreDirectory
  readonly #views: readonly ControlView[]
  readonly #orders: readonly ShardOrders[]
  readonly #notes: string

  constructor(store: StoreDirectory, clock: Clock) {
    const leaseClock = openLeaseClock()
    const holder = `dead-letters-${process.pid}-${randomUUID()}`
    const folders = Array.from({ length: store.shards }, (_, shard) => shardFolders(store, shard))
    this.#store = store
    this.#notes = join(store.root, 'dead-notes')
    try {
      for (const { control } of folders) mkdirSync(control, { recursive: true })
      mkdirSync(this.#notes, { recursive: true })
    } catch (error) {
      throw storeError(error, store.directory)
    }
    this.#views = folders.map(({ control }) => new ControlView(control, leaseClock))
    this.#orders = folders.map((some, shard) => {
      const isOwned = () => this.#views[shard].refresh().owner !== undefined
      return new ShardOrders(some, holder, store.deadLetters, leaseClock, clock, isOwned)
    })
  }

  get shards(): number {
    return this.#store.shards
  }

  page(query: DeadLetterQuery): Promise<DeadLetterPage> {
    return this.#guarded(() =>
      pageOverShards(this.shards, query, {
        scan: (shard, start, step) => this.#scan(shard, start, step),
        findFirst: async (shard, start, step) => {
          const [first] = this.#stretch(shard, start, step)
          return first && positionOf(first)
        },
      }),
    )
  }

  get(id: string): Promise<{ letter: DeadLetter; body: Uint8Array } | undefined> {
    return this.#guarded(async () => {
      const found = this.#find(id)
      if (found === undefined) return undefined
      const { shard, numbered } = found
      const { bodyFile } = numbered[1]
      const letter = letterOf(shard, numbered)
      if (!bodyFile) return { letter, body: new Uint8Array(0) }
      try {
        const path = join(shardFolders(this.#store, shard).bodies, bodyFile)
        return { letter, body: new Uint8Array(await readFile(path)) }
      } catch (error) {
        if (isMissing(error)) return undefined // it went meanwhile
        throw error
      }
    })
  }

  groups(limit: number): Promise<DeadLetterGroup[]> {
    return this.#guarded(async () =>
      mergeGroups(
        this.#views.flatMap((view) => [...view.refresh().rows.dead.groups.values()]),
        limit,
      ),
    )
  }

  totals(): Promise<DeadLetterTotals> {
    return this.#guarded(async () => {
      const dropped = { entries: 0, bytes: 0, age: 0 }
      const totals = { entries: 0, bytes: 0, replayed: 0, purged: 0, dropped }
      for (const view of this.#views) {
        const { dead, counters } = view.refresh().rows
        totals.entries += dead.size
        totals.bytes += dead.bytes
        totals.replayed += counters.get('dead-replayed') ?? 0
        totals.purged += counters.get('dead-purged') ?? 0
        for (const reason of ['entries', 'bytes', 'age'] as const) {
          dropped[reason] += counters.get(`dead-dropped-${reason}`) ?? 0
        }
      }
      return totals
    })
  }

  async replay(ids: readonly string[], maxGeneration: number | undefined): Promise<ReplayOutcome[]> {
    const outcomes = await this.#order(ids, (ns) => ({ kind: 'replay', ns, maxGeneration }))
    return outcomes.map((outcome) => (outcome === 'purged' ? 'gone' : outcome))
  }

  async purge(ids: readonly string[]): Promise<number> {
    const outcomes = await this.#order(ids, (ns) => ({ kind: 'purge', ns }))
    return outcomes.filter((outcome) => outcome === 'purged').length
  }

  trim(): Promise<void> {
    return this.#guarded(async () => {
      for (const [shard, orders] of this.#orders.entries()) await orders.trim(this.#views[shard].refresh())
    })
  }

  readNotes(): Promise<Map<string, string>> {
    return this.#guarded(async () => {
      const notes = new Map<string, string>()
      for (const file of readdirSync(this.#notes)) {
        if (file.endsWith('.tmp')) continue
        const { name, text } = JSON.parse(readFileSync(join(this.#notes, file), 'utf8')) as Note
        notes.set(name, text)
      }
      return notes
    })
  }

  writeNote(name: string, text: string | undefined): Promise<void> {
    return this.#guarded(async () => {
      const path = join(this.#notes, `${createHash('sha256').update(name).digest('hex').slice(0, 32)}.json`)
      if (text === undefined) return rmSync(path, { force: true })
      writeJson(path, { name, text } satisfies Note)
    })
  }

  async close(): Promise<void> {}

  async #scan(shard: number, start: ScanStart | undefined, query: Omit<DeadLetterQuery, 'cursor'>): Promise<ShardScan> {
    const { filter, limit } = query
    const mark = filter.device === undefined ? undefined : deviceMark(filter.device)
    const letters: DeadLetter[] = []
    let effort = 0
    for (const numbered of this.#stretch(shard, start, query)) {
      effort++
      if (matches(filter, numbered) && (mark === undefined || (await this.#holds(shard, numbered, mark)))) {
        letters.push(letterOf(shard, numbered))
      }
      if (mark !== undefined) effort += ROWS_PER_BODY
      if (letters.length >= limit || effort >= ROWS_PER_LOOK) return { letters, stoppedAt: positionOf(numbered) }
    }
    return { letters, stoppedAt: undefined }
  }

  /** Letters from `start` on within the filter's times. */
  *#stretch(
    shard: number,
    start: ScanStart | undefined,
    { filter, order }: Omit<DeadLetterQuery, 'cursor'>,
  ): Generator<NumberedDead> {
    const { fromMs = 0, toMs = Number.POSITIVE_INFINITY } = filter
    const rows = this.#rowsOf(shard)
    const ordered = rows.ordered()
    const isUp = order === 'oldest-first'
    const bound = isUp ? { ms: fromMs, n: 0, isInclusive: true } : { ms: toMs, n: 0, isInclusive: false }
    const isBounded = start === undefined || (isUp ? start.ms < fromMs : start.ms >= toMs)
    for (
      let i = firstIndex(ordered, isBounded ? bound : start, isUp);
      i >= 0 && i < ordered.length;
      i += isUp ? 1 : -1
    ) {
      const { ms } = positionOf(ordered[i])
      if (isUp ? ms >= toMs : ms < fromMs) return
      if (rows.isThere(ordered[i])) yield ordered[i]
    }
  }

  /** Whether a letter's body holds the bytes. */
  async #holds(shard: number, [, { bodyFile }]: NumberedDead, mark: Buffer): Promise<boolean> {
    if (!bodyFile) return false
    try {
      return (await readFile(join(shardFolders(this.#store, shard).bodies, bodyFile))).includes(mark)
    } catch (error) {
      if (isMissing(error)) return false // it went meanwhile
      throw error
    }
  }

  /** Outcomes in the order of `ids`; of an id named twice, the second is gone. */
  #order(ids: readonly string[], orderOf: (ns: number[]) => DeskOrder) {
    return this.#guarded(async () => {
      const outcomes = new Array<ReplayOutcome | 'purged'>(ids.length).fill('gone')
      const byShard = new Map<number, { n: number; at: number }[]>()
      for (const [at, id] of ids.entries()) {
        const found = this.#find(id)
        if (found === undefined) continue
        const some = byShard.get(found.shard) ?? []
        byShard.set(found.shard, some)
        some.push({ n: found.numbered[0], at })
      }
      await Promise.all(
        [...byShard].map(async ([shard, some]) => {
          const answers = await this.#orders[shard].carryOut(orderOf(some.map(({ n }) => n)))
          for (const [i, { at }] of some.entries()) outcomes[at] = answers[i]
        }),
      )
      return outcomes
    })
  }

  #find(id: string): { shard: number; numbered: NumberedDead } | undefined {
    const at = parseId(id)
    if (at === undefined || at.shard >= this.shards) return undefined
    const row = this.#rowsOf(at.shard).get(at.n)
    if (row === undefined || comparePositions(positionOf([at.n, row]), at) !== 0) return undefined
    return { shard: at.shard, numbered: [at.n, row] }
  }

  #rowsOf(shard: number): DeadRows {
    return this.#views[shard].refresh().rows.dead
  }

  async #guarded<T>(step: () => Promise<T>): Promise<T> {
    try {
      return await step()
    } catch (error) {
      throw storeError(error, this.#store.directory)
    }
  }
}

interface Note {
  name: string
  text: string
}

function matches({ class: kind, fingerprint, correlationId }: DeadLetterFilter, [, row]: NumberedDead): boolean {
  return (
    (kind === undefined || row.class === kind) &&
    (fingerprint === undefined || (row.fingerprint ?? UNGROUPED) === fingerprint) &&
    (correlationId === undefined || isOfBatch(row.correlationId, correlationId))
  )
}

/** Index of the first letter of a page, by bisection. */
function firstIndex(ordered: readonly NumberedDead[], start: ScanStart, isUp: boolean): number {
  let low = 0
  let high = ordered.length
  // Afterwards: how many letters lie before the page going up, or belong to it going down.
  while (low < high) {
    const middle = (low + high) >> 1
    const order = comparePositions(positionOf(ordered[middle]), start)
    const isBefore = order < 0 || (order === 0 && start.isInclusive !== isUp)
    if (isBefore) low = middle + 1
    else high = middle
  }
  return isUp ? low : low - 1
}
