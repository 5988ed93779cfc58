import type { Priority } from '#core/model/priority'
import { type PriorityHead, PriorityTurns } from '#core/policy/priority-turns'
import type { Clock } from '#core/time/clock'
import type { LeasedEntry, OwnedShard, Settlement, SettleResult } from '#core/transport/batch-stream'
import { deadLettersByEntry } from '#core/transport/dead-letter-orders'
import type { DeadLetterLimits } from '#core/transport/dead-letters'
import { Arrivals } from './arrivals.js'
import { BodyFiles } from './body-files.js'
import type { ControlLog } from './control-log.js'
import { DeadLetterDesk } from './dead-letter-desk.js'
import { type DeadLetterPlan, planDrops } from './dead-letter-plan.js'
import { HandedOut, type Source } from './handed-out.js'
import { InOrder } from './in-order.js'
import type { NumberingReader } from './numbering-reader.js'
import { RetryQueue } from './retry-queue.js'
import { describe, type LeasedSource, type NumberingChange, SettlementPlan } from './settlement-plan.js'
import { ShardLog } from './shard-log.js'
import { SpentFiles } from './spent-files.js'
import type { ShardFolders } from './store-directory.js'
import { storeError } from './store-failure.js'

const PRIORITIES: readonly Priority[] = [0, 1, 2]
const TOKEN_DIGITS = 12
const COUNT_DIGITS = 15

type Limits = { maxEntries: number; maxBytes: number }

/**
 * A shard of the embedded store, owned. Its batches are only read; leases and settlements are steps of the control log,
 * and void once another owner has come.
 *
 * Thread: main.
 */
export class OwnedEmbeddedShard implements OwnedShard {
  readonly shard: number
  readonly #control: ControlLog
  readonly #clock: Clock
  readonly #onClose: (shard: OwnedEmbeddedShard) => void
  readonly #directory: string
  readonly #arrivals: Arrivals
  readonly #log: ShardLog
  readonly #retries: RetryQueue
  readonly #handedOut: HandedOut
  readonly #bodies: BodyFiles
  readonly #spent: SpentFiles
  readonly #deadLetters: DeadLetterLimits
  readonly #desk: DeadLetterDesk
  readonly #leased = new Map<string, LeasedSource>()
  readonly #turns = new PriorityTurns()
  readonly #takes = new InOrder()
  readonly #settles = new InOrder()
  #count = 0
  #isLost = false
  #closed: Promise<void> | undefined

  /**
   * @param control the shard's, just claimed
   * @param onClose called when nothing of the store is in use any more
   */
  constructor(
    shard: number,
    control: ControlLog,
    folders: ShardFolders,
    deadLetters: DeadLetterLimits,
    clock: Clock,
    onClose: (shard: OwnedEmbeddedShard) => void,
  ) {
    this.shard = shard
    this.#onClose = onClose
    this.#control = control
    this.#clock = clock
    this.#directory = folders.control
    const { rows } = control
    this.#arrivals = new Arrivals(folders.log)
    this.#log = new ShardLog(folders.log, rows.cursors)
    this.#retries = new RetryQueue(rows.retries)
    this.#handedOut = new HandedOut(rows)
    this.#bodies = new BodyFiles(folders.bodies, control.token)
    this.#spent = new SpentFiles(folders.log)
    const named = [...rows.retries.values(), ...rows.dead.values()].flatMap(({ bodyFile }) => bodyFile ?? [])
    this.#bodies.removeOthers(new Set(named))
    this.#deadLetters = deadLetters
    const carryOut = (plan: DeadLetterPlan) => this.#carryOut(plan)
    const inTurn = <T>(step: () => Promise<T>) => this.#settles.run(step)
    this.#desk = new DeadLetterDesk(folders.control, { rows, carryOut, inTurn }, clock)
  }

  get token(): number {
    return this.#control.token
  }

  async loadState(): Promise<Map<string, Uint8Array>> {
    return new Map([...this.#control.rows.state].map(([row, bytes]) => [row, bytes.slice()]))
  }

  async lease(limits: Limits, waitMs: number, signal?: AbortSignal): Promise<LeasedEntry[]> {
    const untilMs = this.#clock.monotonicMs() + waitMs
    for (;;) {
      if (this.#isLost || signal?.aborted) return []
      const seen = this.#arrivals.rings
      const entries = await this.#takes.run(() => this.#take(limits)).catch((error) => this.#fail(error))
      const leftMs = untilMs - this.#clock.monotonicMs()
      if (entries.length > 0 || leftMs <= 0) return entries
      const dueInMs = (this.#retries.nextDueAtMs ?? Number.POSITIVE_INFINITY) - this.#clock.nowUs() / 1000
      await this.#arrivals.wait(seen, Math.max(1, Math.min(leftMs, dueInMs)), signal)
    }
  }

  async renew(): Promise<boolean> {
    try {
      const isOwner = !this.#isLost && this.#control.renew()
      if (!isOwner) this.#lose()
      else await this.#settles.run(() => this.#tidy())
      return isOwner
    } catch (error) {
      return this.#fail(error)
    }
  }

  settle(settlement: Settlement): Promise<SettleResult> {
    return this.#settles.run(() => this.#settle(settlement)).catch((error) => this.#fail(error))
  }

  async release(): Promise<void> {
    await this.#settles.run(async () => {})
    try {
      if (!this.#isLost) this.#control.release()
    } catch (error) {
      this.#fail(error)
    } finally {
      await this.close()
    }
  }

  /** Ends all use of the store, and leaves the lease as it is. */
  close(): Promise<void> {
    this.#isLost = true
    this.#closed ??= this.#closeAll()
    return this.#closed
  }

  /** Another owner has come: this one is of no use any more. */
  #lose(): void {
    void this.close()
  }

  async #closeAll(): Promise<void> {
    this.#arrivals.close()
    await this.#desk.close()
    await this.#settles.run(async () => {})
    await this.#takes.run(() => this.#log.close())
    await this.#control.close()
    this.#onClose(this)
  }

  async #take(limits: Limits): Promise<LeasedEntry[]> {
    if (this.#isLost) return []
    await this.#log.refresh()
    const sources = this.#pick(limits)
    if (sources.length === 0) return []
    try {
      const bodies = await this.#readBodies(sources)
      const broken = sources.filter((_, i) => bodies[i] === undefined)
      if (broken.length > 0) return await this.#leaveOut(sources, broken)
      return await this.#handOut(sources, bodies as Uint8Array[])
    } catch (error) {
      this.#giveBack(sources)
      throw error
    }
  }

  #pick({ maxEntries, maxBytes }: Limits): Source[] {
    const sources: Source[] = []
    const nowMs = this.#clock.nowUs() / 1000
    const next = PRIORITIES.map((priority) => this.#nextOf(priority, nowMs))
    let bytes = 0
    while (sources.length < maxEntries) {
      const priority = this.#turns.next(next, nowMs)
      const head = priority === undefined ? undefined : next[priority]
      if (priority === undefined || head === undefined) break
      bytes += head.bytes
      if (sources.length > 0 && bytes > maxBytes) break
      const { source } = head
      if (source.kind === 'retry') this.#retries.take(source.retry)
      else source.reader.windows[priority].take()
      sources.push(source)
      this.#turns.taken(priority)
      next[priority] = this.#nextOf(priority, nowMs)
    }
    return sources
  }

  /** What waits first in a priority: a retry that is due, else the oldest of the log. */
  #nextOf(priority: Priority, nowMs: number): (PriorityHead & { source: Source }) | undefined {
    const retry = this.#retries.peek(priority, nowMs)
    if (retry !== undefined) {
      const { bytes, storedAtUs } = retry.row
      return { bytes, storedAtMs: storedAtUs / 1000, source: { kind: 'retry', retry } }
    }
    const candidate = this.#log.peek(priority)
    if (candidate === undefined) return undefined
    const { bodyBytes, storedAtUs } = candidate.ref.record
    return { bytes: bodyBytes, storedAtMs: storedAtUs / 1000, source: { kind: 'log', ...candidate } }
  }

  async #readBodies(sources: readonly Source[]): Promise<(Uint8Array | undefined)[]> {
    const bodies: (Uint8Array | undefined)[] = []
    const byReader = new Map<NumberingReader, { source: Source & { kind: 'log' }; at: number }[]>()
    for (const [at, source] of sources.entries()) {
      if (source.kind === 'retry') bodies[at] = await this.#bodies.read(source.retry.row.bodyFile)
      else byReader.set(source.reader, [...(byReader.get(source.reader) ?? []), { source, at }])
    }
    for (const [reader, some] of byReader) {
      const read = await reader.readBodies(some.map(({ source }) => source.ref))
      for (const [i, { at }] of some.entries()) bodies[at] = read[i]
    }
    return bodies
  }

  /** Some records are not whole: nothing is handed out, and their readers look again. */
  async #leaveOut(sources: readonly Source[], broken: readonly Source[]): Promise<LeasedEntry[]> {
    this.#giveBack(sources)
    for (const source of broken) if (source.kind === 'log') await source.reader.distrust(source.ref)
    this.#arrivals.ring()
    return []
  }

  async #handOut(sources: readonly Source[], bodies: readonly Uint8Array[]): Promise<LeasedEntry[]> {
    const { counts, changes } = this.#handedOut.count(sources)
    // Nothing may come between the look at the control log and handing out.
    if (!(await this.#control.append(changes)) || !this.#control.isCurrent()) {
      this.#lose()
      return []
    }
    return sources.map((source, i) => {
      const id = `${String(this.token).padStart(TOKEN_DIGITS, '0')}.${String(++this.#count).padStart(COUNT_DIGITS, '0')}`
      const attempts = source.kind === 'retry' ? source.retry.row.attempts : 0
      const { priority, handler, correlationId, samples, firstTakenAtUs } = describe(source)
      this.#leased.set(id, { source, attempts, deliveryCount: counts[i] })
      const said = { priority, handler, correlationId, samples, firstTakenAtUs }
      return { id, deliveryCount: counts[i], attempts, ...said, body: bodies[i] }
    })
  }

  /** They wait again, in their old order. */
  #giveBack(sources: readonly Source[]): void {
    for (const source of sources) {
      if (source.kind === 'retry') this.#retries.add(source.retry)
      else source.reader.windows[source.ref.record.priority].giveBack(1)
    }
  }

  async #settle(settlement: Settlement): Promise<SettleResult> {
    if (this.#isLost) return { kind: 'fenced' }
    const plan = new SettlementPlan(
      this.#control.rows,
      this.#handedOut,
      this.#bodies,
      { holder: this.#control.holder, limits: this.#deadLetters },
      this.#clock.nowUs(),
    )
    const open = new Map(this.#leased)
    const claim = (id: string): LeasedSource | undefined => {
      const leased = open.get(id)
      open.delete(id)
      return leased
    }
    for (const id of settlement.ack) {
      const leased = claim(id)
      if (leased !== undefined) plan.remove(leased.source)
    }
    for (const how of settlement.retry) {
      const leased = claim(how.id)
      if (leased !== undefined) await plan.retry(leased, how)
    }
    for (const [id, orders] of deadLettersByEntry(settlement.deadLetter)) {
      const leased = claim(id)
      if (leased !== undefined) await plan.bury(leased, orders)
    }
    plan.saveState(settlement.state)
    const byReader = plan.finish(this.#log.readers)
    if (!(await this.#control.append(plan.changes))) {
      this.#lose()
      return { kind: 'fenced' }
    }
    await this.#takeOver(plan, byReader, settlement)
    return { kind: 'settled' }
  }

  /** The settlement is part of the log: memory and files follow. */
  async #takeOver(
    plan: SettlementPlan,
    byReader: ReadonlyMap<NumberingReader, NumberingChange>,
    { ack, retry, deadLetter }: Settlement,
  ): Promise<void> {
    for (const [reader, { refs, settled, losses }] of byReader) {
      for (const priority of PRIORITIES) reader.windows[priority].settle(refs[priority], settled[priority])
      reader.forgetLosses(losses)
    }
    for (const id of ack) this.#leased.delete(id)
    for (const { id } of [...retry, ...deadLetter]) this.#leased.delete(id)
    for (const one of plan.retries) this.#retries.add(one)
    if (plan.retries.length > 0) this.#arrivals.ring()
    this.#bodies.remove(plan.spentBodies)
    await this.#spent.remove(this.#log.readers, this.#control)
    await this.#tidy()
  }

  async #carryOut({ changes, retries, spentBodies }: Omit<DeadLetterPlan, 'outcomes'>): Promise<boolean> {
    if (this.#isLost) return false
    if (changes.length > 0 && !(await this.#control.append(changes))) {
      this.#lose()
      return false
    }
    for (const retry of retries) this.#retries.add(retry)
    this.#bodies.remove(spentBodies)
    if (retries.length > 0) this.#arrivals.ring()
    return true
  }

  /** Now and then: what producers that are gone have left behind, and dead letters that are too old. */
  async #tidy(): Promise<void> {
    if (this.#isLost || !this.#spent.isTidyingDue(this.#clock.monotonicMs())) return
    const drops = planDrops(this.#control.rows, [], this.#deadLetters, this.#clock.nowUs())
    if (!(await this.#carryOut({ ...drops, retries: [] }))) return
    for (const name of this.#spent.removeAbandoned(this.#log)) {
      await this.#takes.run(() => this.#log.forget(name))
      await this.#control.append([
        ['cursor', name, undefined],
        ['handed', name, undefined],
      ])
    }
  }

  #fail(error: unknown): never {
    throw storeError(error, this.#directory)
  }
}
