import { TelemetryError } from '#core/errors/telemetry-error'
import type { Priority } from '#core/model/priority'
import type { Clock } from '#core/time/clock'
import type { LeasedEntry, OwnedShard, Settlement, SettleResult } from '#core/transport/batch-stream'
import { Arrivals } from './arrivals.js'
import { type DeadRow, type OwnerRow, ROWS, type ShardRow, type UntilRow } from './control-rows.js'
import { HandedOut, type Source } from './handed-out.js'
import { InOrder } from './in-order.js'
import type { LeaseClock } from './lease-clock.js'
import type { Cursor, NumberingReader } from './numbering-reader.js'
import { RetryQueue } from './retry-queue.js'
import type { RowStore } from './row-store.js'
import { correlationIdOf, type LeasedSource, type NumberingChange, SettlementPlan } from './settlement-plan.js'
import { ShardLog } from './shard-log.js'
import { SpentFiles } from './spent-files.js'
import { storeError } from './store-failure.js'

const PRIORITIES: readonly Priority[] = [0, 1, 2]
const TOKEN_DIGITS = 12
const COUNT_DIGITS = 15

/** What a shard's owner works with. */
export interface ShardAccess {
  control: RowStore
  session: RowStore
  clock: Clock
  leaseClock: LeaseClock
  /** Of the shard's segments. */
  folder: string
  holder: string
}

/** An entry taken for a lease under way. */
interface Taken {
  source: Source
}

/**
 * A shard of the embedded store, owned. The log is only read; settling is one transaction of the control environment,
 * on condition that the owner's row still has this owner's token.
 *
 * Thread: main.
 */
export class OwnedEmbeddedShard implements OwnedShard {
  readonly shard: number
  readonly token: number
  readonly #access: ShardAccess
  readonly #leaseMs: number
  readonly #arrivals: Arrivals
  readonly #log: ShardLog
  readonly #cursors = new Map<string, Cursor>()
  readonly #retries: RetryQueue
  readonly #handedOut: HandedOut
  readonly #spent: SpentFiles
  readonly #leased = new Map<string, LeasedSource>()
  readonly #takes = new InOrder()
  readonly #settles = new InOrder()
  #count = 0
  #isLost = false

  constructor(shard: number, token: number, leaseMs: number, access: ShardAccess) {
    this.shard = shard
    this.token = token
    this.#access = access
    this.#leaseMs = leaseMs
    this.#arrivals = new Arrivals(access.folder)
    for (const { key, value } of access.control.list<Cursor>(ROWS.cursors(shard))) {
      this.#cursors.set(key[2] as string, value)
    }
    this.#log = new ShardLog(access.folder, this.#cursors)
    this.#retries = new RetryQueue(access.control, shard)
    this.#handedOut = new HandedOut(access.session, shard)
    this.#spent = new SpentFiles(access.folder)
  }

  /** Totals and age of what the log holds unsettled, as far as this owner is up to date. */
  get log(): ShardLog {
    return this.#log
  }

  /** Reads what was appended since. @throws TLM_STREAM_UNAVAILABLE */
  refresh(): Promise<void> {
    return this.#takes.run(() => this.#log.refresh()).catch((error) => this.#fail(error))
  }

  async loadState(): Promise<Map<string, Uint8Array>> {
    const rows = this.#access.control.list<Uint8Array>(ROWS.states(this.shard))
    return new Map(rows.map(({ key, value }) => [key[2] as string, new Uint8Array(value)]))
  }

  async lease(
    limits: { maxEntries: number; maxBytes: number },
    waitMs: number,
    signal?: AbortSignal,
  ): Promise<LeasedEntry[]> {
    const untilMs = this.#access.clock.monotonicMs() + waitMs
    for (;;) {
      if (this.#isLost || signal?.aborted) return []
      const seen = this.#arrivals.rings
      const entries = await this.#takes.run(() => this.#take(limits)).catch((error) => this.#fail(error))
      const leftMs = untilMs - this.#access.clock.monotonicMs()
      if (entries.length > 0 || leftMs <= 0) return entries
      const dueInMs = (this.#retries.nextDueAtMs ?? Number.POSITIVE_INFINITY) - this.#access.clock.nowUs() / 1000
      await this.#arrivals.wait(seen, Math.max(1, Math.min(leftMs, dueInMs)), signal)
    }
  }

  async renew(): Promise<boolean> {
    const { control, session, leaseClock, holder } = this.#access
    const until = session.get<UntilRow>(ROWS.until(this.shard))
    const row: UntilRow = { untilMs: leaseClock.nowMs() + this.#leaseMs }
    const writes = [
      { key: ROWS.until(this.shard), value: row, version: (until?.version ?? 0) + 1 },
      { key: ROWS.owner(this.shard), value: { holder } satisfies OwnerRow, version: this.token },
    ]
    const isOwner = this.#isOwner(control) && (await session.commit([this.#condition], writes))
    if (!isOwner) this.#lose()
    else await this.#settles.run(() => this.#tidy())
    return isOwner
  }

  settle(settlement: Settlement): Promise<SettleResult> {
    return this.#settles.run(() => this.#settle(settlement)).catch((error) => this.#fail(error))
  }

  async release(): Promise<void> {
    const { session } = this.#access
    await this.#settles.run(async () => {})
    const until = session.get<UntilRow>(ROWS.until(this.shard))
    const freed: UntilRow = { untilMs: 0 }
    const free: OwnerRow = { holder: undefined }
    await session.commit(
      [this.#condition],
      [
        { key: ROWS.until(this.shard), value: freed, version: (until?.version ?? 0) + 1 },
        { key: ROWS.owner(this.shard), value: free, version: this.token },
      ],
    )
    await this.close()
  }

  /** Ends all use of the store, and leaves the ownership as it is. */
  async close(): Promise<void> {
    this.#lose()
    await this.#settles.run(async () => {})
    await this.#takes.run(() => this.#log.close())
  }

  get #condition() {
    return { key: ROWS.owner(this.shard), version: this.token }
  }

  #isOwner(rows: RowStore): boolean {
    return !this.#isLost && rows.get(ROWS.owner(this.shard))?.version === this.token
  }

  #lose(): void {
    this.#isLost = true
    this.#arrivals.close()
  }

  async #take(limits: { maxEntries: number; maxBytes: number }): Promise<LeasedEntry[]> {
    if (this.#isLost) return []
    await this.#log.refresh()
    const picks = this.#pick(limits)
    if (picks.length === 0) return []
    try {
      const bodies = await this.#readBodies(picks)
      const broken = picks.filter((_, i) => bodies[i] === undefined)
      if (broken.length > 0) return await this.#leaveOut(picks, broken)
      return await this.#handOut(picks, bodies as Uint8Array[])
    } catch (error) {
      this.#giveBack(picks)
      throw error
    }
  }

  #pick({ maxEntries, maxBytes }: { maxEntries: number; maxBytes: number }): Taken[] {
    const picks: Taken[] = []
    const nowMs = this.#access.clock.nowUs() / 1000
    let bytes = 0
    for (const priority of PRIORITIES) {
      while (picks.length < maxEntries) {
        const retry = this.#retries.peek(priority, nowMs)
        const candidate = retry === undefined ? this.#log.peek(priority) : undefined
        const size = retry?.row.bytes ?? candidate?.ref.record.bodyBytes
        if (size === undefined) break
        if (picks.length > 0 && bytes + size > maxBytes) return picks
        bytes += size
        if (retry !== undefined) {
          this.#retries.take(retry)
          picks.push({ source: { kind: 'retry', retry } })
        } else if (candidate !== undefined) {
          candidate.reader.windows[priority].take()
          picks.push({ source: { kind: 'log', ...candidate } })
        }
      }
    }
    return picks
  }

  async #readBodies(picks: readonly Taken[]): Promise<(Uint8Array | undefined)[]> {
    const byReader = new Map<NumberingReader, number[]>()
    const bodies = picks.map(({ source }, i) => {
      if (source.kind === 'retry') return this.#retryBody(source.retry.n)
      const indices = byReader.get(source.reader)
      if (indices === undefined) byReader.set(source.reader, [i])
      else indices.push(i)
      return undefined
    })
    for (const [reader, indices] of byReader) {
      const refs = indices.map((i) => (picks[i].source as Source & { kind: 'log' }).ref)
      const read = await reader.readBodies(refs)
      for (const [at, i] of indices.entries()) bodies[i] = read[at]
    }
    return bodies
  }

  #retryBody(n: number): Uint8Array {
    return new Uint8Array(this.#access.control.get<Uint8Array>(ROWS.retryBody(this.shard, n))?.value ?? [])
  }

  /** Some records are not whole: nothing is handed out, and their readers look again. */
  async #leaveOut(picks: readonly Taken[], broken: readonly Taken[]): Promise<LeasedEntry[]> {
    this.#giveBack(picks)
    for (const { source } of broken) if (source.kind === 'log') await source.reader.distrust(source.ref)
    this.#arrivals.ring()
    return []
  }

  async #handOut(picks: readonly Taken[], bodies: readonly Uint8Array[]): Promise<LeasedEntry[]> {
    const { control, session } = this.#access
    const { counts, writes } = this.#handedOut.count(picks.map(({ source }) => source))
    // Nothing may come between the look at the owner's row and handing out.
    if (!(await session.commit([this.#condition], writes)) || !this.#isOwner(control)) {
      this.#lose()
      return []
    }
    return picks.map(({ source }, i) => {
      const id = `${String(this.token).padStart(TOKEN_DIGITS, '0')}.${String(++this.#count).padStart(COUNT_DIGITS, '0')}`
      const attempts = source.kind === 'retry' ? source.retry.row.attempts : 0
      this.#leased.set(id, { source, attempts, deliveryCount: counts[i] })
      return { id, deliveryCount: counts[i], attempts, ...describe(source), body: bodies[i] }
    })
  }

  /** They wait again, in their old order. */
  #giveBack(picks: readonly Taken[]): void {
    for (const { source } of picks) {
      if (source.kind === 'retry') this.#retries.add(source.retry)
      else source.reader.windows[source.ref.record.priority].giveBack(1)
    }
  }

  async #settle(settlement: Settlement): Promise<SettleResult> {
    if (this.#isLost) return { kind: 'fenced' }
    const { control, clock } = this.#access
    const bytesOfDead = (n: number) => control.get<DeadRow>(ROWS.dead(this.shard, n))?.value.bytes ?? 0
    const counters = control.get<ShardRow>(ROWS.shard(this.shard))?.value
    const plan = new SettlementPlan(this.shard, counters, clock.nowUs(), bytesOfDead)
    const open = new Map(this.#leased)
    const ids: string[] = []
    const claim = (id: string): LeasedSource | undefined => {
      const leased = open.get(id)
      if (open.delete(id)) ids.push(id)
      return leased
    }
    for (const id of settlement.ack) {
      const leased = claim(id)
      if (leased !== undefined) plan.remove(leased.source)
    }
    for (const how of settlement.retry) {
      const leased = claim(how.id)
      if (leased !== undefined) plan.retry(leased, how, await this.#bodyOf(leased))
    }
    for (const how of settlement.deadLetter) {
      const leased = claim(how.id)
      if (leased !== undefined) plan.bury(leased, how, await this.#bodyOf(leased))
    }
    plan.saveState(settlement.state)
    const changes = plan.finish(this.#log.readers, this.#cursors)
    if (!(await control.commit([this.#condition], plan.writes))) {
      this.#lose()
      return { kind: 'fenced' }
    }
    await this.#takeOver(plan, changes, ids)
    return { kind: 'settled' }
  }

  async #bodyOf({ source }: LeasedSource): Promise<Uint8Array> {
    if (source.kind === 'retry') return this.#retryBody(source.retry.n)
    const body = await source.reader.readBody(source.ref)
    if (body !== undefined) return body
    const message = `Batch ${correlationIdOf(source.reader, source.ref.record.seq)} cannot be read any more.`
    throw new TelemetryError('TLM_STREAM_UNAVAILABLE', message, { shard: this.shard })
  }

  /** The settlement is committed: memory and files follow. */
  async #takeOver(
    plan: SettlementPlan,
    changes: ReadonlyMap<NumberingReader, NumberingChange>,
    ids: Iterable<string>,
  ): Promise<void> {
    for (const [reader, { refs, settled, cursor, losses }] of changes) {
      for (const priority of PRIORITIES) reader.windows[priority].settle(refs[priority], settled[priority])
      reader.forgetLosses(losses)
      this.#cursors.set(reader.name, cursor)
    }
    for (const id of ids) this.#leased.delete(id)
    for (const retry of plan.retries) this.#retries.add(retry)
    if (plan.retries.length > 0) this.#arrivals.ring()
    const forgotten = this.#handedOut.forget(plan.settled)
    if (forgotten.length > 0) await this.#access.session.commit([this.#condition], forgotten)
    this.#spent.remove(this.#log.readers)
    await this.#tidy()
  }

  /** Now and then: what producers that are gone have left behind. */
  async #tidy(): Promise<void> {
    const { control, clock } = this.#access
    if (this.#isLost || !this.#spent.isTidyingDue(clock.monotonicMs())) return
    for (const name of this.#spent.removeAbandoned(this.#log)) {
      await this.#takes.run(() => this.#log.forget(name))
      await control.commit([this.#condition], [{ key: ROWS.cursor(this.shard, name), value: undefined }])
      this.#cursors.delete(name)
    }
  }

  #fail(error: unknown): never {
    throw storeError(error, this.#access.folder)
  }
}

function describe(
  source: Source,
): Pick<LeasedEntry, 'priority' | 'handler' | 'correlationId' | 'samples' | 'firstTakenAtUs'> {
  if (source.kind === 'retry') {
    const { priority, handler, correlationId, samples, firstTakenAtUs } = source.retry.row
    return { priority, handler, correlationId, samples, firstTakenAtUs }
  }
  const { priority, handler, samples, firstTakenAtUs, seq } = source.ref.record
  return { priority, handler, correlationId: correlationIdOf(source.reader, seq), samples, firstTakenAtUs }
}
