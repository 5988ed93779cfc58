import { messageOf, TelemetryError } from '#core/errors/telemetry-error'
import type { DeadLetterClass } from '#core/model/dead-letter'
import { PRIORITY } from '#core/model/priority'
import { backoffWaitMs } from '#core/policy/backoff'
import type { PackedReply } from '#core/protocol/handler-messages'
import { pause } from '#core/time/pause'
import type { DeadLetterOrder, LeasedEntry, OwnedShard, RetryOrder } from '#core/transport/batch-stream'
import { AppliedEntries } from './applied-entries.js'
import { type Death, DeathTrial, deathOf } from './death-trial.js'
import { EntryGate } from './entry-gate.js'
import { EntryJudge, type RunEntry } from './entry-judge.js'
import { deadLetterOf } from './entry-verdict.js'
import { HeldEntries } from './held-entries.js'
import { LeaseKeeper } from './lease-keeper.js'
import { packEntries } from './pack-bodies.js'
import { RunQuantum } from './run-quantum.js'
import { ShardLeaser } from './shard-leaser.js'
import type { ShardLoopContext } from './shard-loop-context.js'
import { ShardSettler } from './shard-settler.js'
import { ShardWrites } from './shard-writes.js'
import type { SuspectLane } from './suspect-lane.js'

/** Longest wait of one lease. */
const MAX_WAIT_MS = 1000
/** Its multiples, modulo 1, are spread evenly however many there are. */
const GOLDEN_RATIO = 0.618034
/** Letters of single samples that wait for a checkpoint, which writes them in one step: some 2 ms of the store's. */
const MAX_WAITING_LETTERS = 40
const LOAD_RETRY = { baseMs: 100, maxMs: 5000 }

/**
 * Why a loop ended. `handed-over`: as asked, everything that was run is settled. `lost`: the shard has another owner, or
 * the processor had to end first. `failed`: a run died or the sink lost rows; the state was dropped, and what was leased
 * since the last checkpoint comes again.
 */
export type LoopEnd = 'handed-over' | 'failed' | 'lost'

/** A graver end replaces one that is under way. */
const GRAVITY: Readonly<Record<LoopEnd, number>> = { 'handed-over': 1, failed: 2, lost: 3 }

/**
 * Consumes one owned shard: lease, run, write, and once per interval checkpoint, then acknowledge.
 *
 * An entry is acknowledged only by a settlement that also saves the state it is part of, and only after its findings are
 * durable. So whatever ends this loop, at whatever point, the next owner begins with the state of the last settlement and
 * gets every entry again that is not part of it; findings made twice have the same keys and revisions.
 *
 * Leasing, running, writing and settling overlap; runs of the shard do not. Thread: the processor's main thread.
 */
export class ShardLoop {
  readonly shard: number
  /** Resolves when the loop has ended and the shard is released. Never rejects. */
  readonly ended: Promise<LoopEnd>
  readonly #owned: OwnedShard
  readonly #context: ShardLoopContext
  readonly #suspects: SuspectLane
  readonly #held = new HeldEntries()
  readonly #keeper: LeaseKeeper
  readonly #leaser: ShardLeaser
  readonly #writes: ShardWrites
  readonly #settler: ShardSettler
  /** Aborted when no more should be leased. */
  readonly #leasing = new AbortController()
  /** Aborted when nothing at all should go on. */
  readonly #working = new AbortController()
  #end: LoopEnd | undefined
  /** Leased entries that wait for their run. */
  #ready: LeasedEntry[] = []
  readonly #quantum = new RunQuantum()
  #leased: Promise<void> = Promise.resolve()
  /** The next entries are leased with the next run. */
  #isLeaseDue = false
  #state: SharedArrayBuffer | undefined
  #rows: Map<string, Uint8Array> = new Map()
  /** Run since the last checkpoint. */
  readonly #applied = new AppliedEntries()
  readonly #judge: EntryJudge
  readonly #trial: DeathTrial
  readonly #gate: EntryGate
  #checkpointMs: number
  #lastCorrelationId = ''
  /** Whether the settlement of a checkpoint is under way. */
  #isCheckpointing = false

  constructor(owned: OwnedShard, suspects: SuspectLane, context: ShardLoopContext) {
    const { health, budget, clock, settings, sink } = context
    this.shard = owned.shard
    this.#owned = owned
    this.#suspects = suspects
    this.#context = context
    // Shards taken together would checkpoint together from then on, and hold up each other's batches at every beat.
    this.#checkpointMs = clock.monotonicMs() - settings.checkpoint.intervalMs * ((this.shard * GOLDEN_RATIO) % 1)
    this.#judge = new EntryJudge(context, suspects)
    const hasEnded = () => this.#end !== undefined
    this.#trial = new DeathTrial(context, owned.shard, suspects, hasEnded, (state) => this.#save(state))
    this.#gate = new EntryGate(context, suspects, this.#trial)
    this.#leaser = new ShardLeaser(owned, budget, health, this.#leasing.signal)
    this.#writes = new ShardWrites(sink, (error) => this.#sinkLostRows(error))
    this.#settler = new ShardSettler(owned, health, this.#working.signal, () => this.#stopAs('lost'))
    this.#keeper = new LeaseKeeper(owned, settings.leaseMs, {
      onLost: () => this.#stopAs('lost'),
      onError: (error) => health.failed('renew', error, owned.shard),
    })
    this.ended = this.#run()
  }

  /** Samples that are leased and not settled. Cost: one step per entry. */
  get samplesInFlight(): number {
    return this.#held.samples
  }

  get entriesInFlight(): number {
    return this.#held.count
  }

  /** Hands the shard over: finishes the run under way, checkpoints, settles, releases. */
  handOver(): void {
    this.#stopAs('handed-over')
  }

  /** Leaves everything as it is: what is not settled is left for the next owner. */
  abandon(): void {
    this.#stopAs('lost')
  }

  async #run(): Promise<LoopEnd> {
    const leave = this.#context.budget.join()
    try {
      await this.#load()
      while (this.#end === undefined) {
        if (this.#ready.length === 0) {
          await this.#leased
          this.#isLeaseDue = true
          if (this.#ready.length === 0) this.#leaseAhead()
        }
        await this.#step()
      }
      if (this.#end === 'handed-over') await this.#finish()
    } catch (error) {
      this.#context.log.error({ err: error, shard: this.shard }, 'shard loop failed')
      this.#stopAs('failed')
    }
    await this.#leased
    await this.#settler.done
    this.#keeper.stop()
    this.#letGo()
    leave()
    await this.#release()
    return this.#end ?? 'failed'
  }

  async #load(): Promise<void> {
    for (let failures = 1; this.#end === undefined; failures++) {
      try {
        const rows = await this.#owned.loadState()
        this.#suspects.load(rows)
        // Copies: sending a view of a larger buffer to a thread would send all of it.
        this.#rows = new Map([...rows].map(([key, row]) => [key, new Uint8Array(row)]))
        return
      } catch (error) {
        this.#context.health.failed('load', error, this.shard)
        await pause(backoffWaitMs(LOAD_RETRY, failures, Math.random()), this.#leasing.signal)
      }
    }
  }

  /**
   * The next lease waits for its entries while a run is under way, but not while that only waits for its thread: what is
   * urgent and comes meanwhile is part of it.
   */
  #leaseAhead(): void {
    if (!this.#isLeaseDue || this.#end !== undefined) return
    this.#isLeaseDue = false
    this.#leased = this.#lease()
  }

  /** Never throws. */
  async #lease(): Promise<void> {
    const leased = await this.#leaser.lease(this.#held.count, this.#quantum.bytes, this.#waitMs())
    this.#held.add(leased)
    for (const { samples } of leased) this.#context.ledger.leased += samples
    if (this.#end === 'lost') this.#letGo()
    else this.#ready.push(...leased)
  }

  /** Until the next checkpoint is due, or may be due because of entries that are run meanwhile. */
  #waitMs(): number {
    const { settings, clock } = this.#context
    const { intervalMs } = settings.checkpoint
    const dueMs = this.#applied.count === 0 ? intervalMs : this.#checkpointMs + intervalMs - clock.monotonicMs()
    return Math.max(1, Math.min(MAX_WAIT_MS, dueMs))
  }

  /** Runs what is ready, and makes the checkpoint that is due. */
  async #step(): Promise<void> {
    const { run, held, rest } = await this.#gate.next(this.#ready)
    this.#ready = [...rest, ...this.#ready.splice(run.length + held.length + rest.length)]
    if (held.length > 0) void this.#putAside(held, [])
    const isDue = this.#isCheckpointDue(run.length)
    if (run.length === 0 && !isDue) return
    const [first] = run
    const { trials } = this.#context
    if (first === undefined || !this.#suspects.isSuspect(first)) {
      await trials.together(() => this.#runEntries(run, isDue))
    } else if (this.#suspects.needsTrial(first)) await trials.alone(() => this.#runSuspect(first))
    else await trials.together(() => this.#runSuspect(first))
  }

  #isCheckpointDue(more: number): boolean {
    const { settings, budget, clock } = this.#context
    const unsettled = this.#applied.count + more
    if (unsettled === 0 || this.#isCheckpointing) return false
    const { maxEntries, intervalMs } = settings.checkpoint
    if (this.#applied.letters >= MAX_WAITING_LETTERS) return true
    if (unsettled >= Math.min(maxEntries, Math.ceil(budget.share / 2))) return true
    return clock.monotonicMs() - this.#checkpointMs >= intervalMs
  }

  async #runEntries(entries: readonly RunEntry[], checkpoint: boolean): Promise<void> {
    await this.#writes.room()
    if (this.#end === 'lost') return
    const start = this.#state === undefined ? { rows: this.#rows } : { state: this.#state }
    let reply: PackedReply
    try {
      const lastCorrelationId = this.#lastCorrelationId
      const request = { shard: this.shard, ...packEntries(entries), checkpoint, ...start, lastCorrelationId }
      const bytes = request.bodies.byteLength
      let startedMs = 0
      reply = await this.#context.pool.run(request, {
        isUrgent: entries.some(({ priority }) => priority === PRIORITY.high),
        onStart: () => {
          startedMs = performance.now()
          this.#leaseAhead()
        },
      })
      this.#quantum.ran(bytes, performance.now() - startedMs)
    } catch (error) {
      return this.#runDied(entries, error)
    }
    // Cast: the end may have come during the run, which the compiler's narrowing does not see.
    if ((this.#end as LoopEnd | undefined) === 'lost') return
    this.#state = reply.state
    this.#rows.clear()
    this.#lastCorrelationId = entries.at(-1)?.correlationId ?? this.#lastCorrelationId
    if (reply.restarted !== undefined) {
      const fields = { shard: this.shard, restarted: reply.restarted }
      this.#context.log.warn(fields, 'saved state does not fit the handlers any more: they start anew for these series')
    }
    this.#take(entries, reply)
  }

  #take(entries: readonly RunEntry[], reply: PackedReply): void {
    const applied: LeasedEntry[] = []
    const retry: RetryOrder[] = []
    const deadLetter: DeadLetterOrder[] = []
    for (const [index, entry] of entries.entries()) {
      const result = reply.results[index]
      if (result?.id !== entry.id) throw new TelemetryError('TLM_INVARIANT_BROKEN', `A run left out ${entry.id}.`)
      const judgement = this.#judge.judge(entry, result)
      if (judgement.kind === 'applied') {
        applied.push(entry)
        this.#applied.add(entry, result.rejected, judgement.remainder)
        for (const { class: kind, message } of judgement.remainder.dead ?? []) {
          this.#report(entry, 'isolated', kind, message)
        }
        continue
      }
      if (judgement.kind === 'dead-letter') deadLetter.push(judgement.deadLetter)
      else retry.push(judgement.retry)
      if (judgement.kind === 'hold') this.#context.held[judgement.reason]++
      const { code, message } = result.error ?? { code: '', message: '' }
      this.#report(entry, judgement.kind, code, message)
    }
    this.#suspects.acquit(entries)
    const { findings, chunks } = reply
    this.#writes.write({ findings, chunks }, () => this.#context.onWritten(applied, reply))
    if (retry.length + deadLetter.length > 0) void this.#putAside(retry, deadLetter)
    if (reply.rows !== undefined) this.#checkpoint(reply.rows)
  }

  /** Saves the state together with the acknowledgement of all that is part of it, once their findings are durable. */
  #checkpoint(rows: ReadonlyMap<string, Uint8Array>): void {
    const taken = this.#applied.take()
    const state = new Map<string, Uint8Array | undefined>([...rows, ...this.#suspects.takeBack()])
    this.#checkpointMs = this.#context.clock.monotonicMs()
    this.#isCheckpointing = true
    const { ack, retry, deadLetter } = taken
    const settled = this.#settler.settle({ ack, retry, deadLetter, state }, this.#writes.areDurable(), () => {
      taken.settled(this.#context.ledger, (ids) => this.#removeHeld(ids))
    })
    void settled.then(() => {
      this.#isCheckpointing = false
    })
  }

  /** Settles entries that had no effect on the state: nothing has to be saved with them. */
  #putAside(retry: readonly RetryOrder[], deadLetter: readonly DeadLetterOrder[]): Promise<void> {
    const settlement = { ack: [], retry, deadLetter, state: new Map() }
    return this.#settler.settle(settlement, Promise.resolve(true), () => {
      this.#context.ledger.retried += this.#removeHeld(retry.map(({ id }) => id))
      this.#context.ledger.deadLettered += this.#removeHeld(deadLetter.map(({ id }) => id))
    })
  }

  /** Runs an entry alone that may kill its run, so that nothing else is blamed for it. */
  async #runSuspect(entry: RunEntry): Promise<void> {
    if (this.#end === 'lost') return
    if (this.#suspects.hasKilledSilently(entry)) {
      this.#suspects.endTrial(entry)
      const message = `Delivered ${entry.deliveryCount} times; run alone, its processor ended each time`
      return this.#putAside([], [this.#convicted(entry, 'crash-loop', message)])
    }
    if (this.#suspects.needsTrial(entry)) {
      await this.#save(this.#suspects.announce(entry))
    }
    await this.#runEntries([entry], true)
    await this.#settler.done
  }

  async #runDied(entries: readonly RunEntry[], error: unknown): Promise<void> {
    if (this.#end === 'lost') return
    this.#suspects.blame(entries)
    const death = deathOf(error)
    const { kind, handler, message } = death
    const at = entries[death.entry ?? 0]
    if (handler !== undefined && at !== undefined) this.#context.handlers.died(handler, at.correlationId)
    const correlationIds = entries.slice(0, 8).map(({ correlationId }) => correlationId)
    const fields = { shard: this.shard, entries: entries.length, correlationIds, kind, handler, at: at?.correlationId }
    this.#context.warnings.warn('run-died', fields, message)
    // The process lives to tell: that is no silent death.
    await this.#save(new Map(this.#suspects.takeBack()))
    if (entries.length === 1) await this.#try(entries[0], death)
    this.#stopAs('failed')
  }

  /** The entry ended its run, alone. */
  async #try(entry: RunEntry, death: Death): Promise<void> {
    await this.#load()
    const outcome = await this.#trial.judge(entry, death, this.#ready, this.#rows)
    if ((this.#end as LoopEnd | undefined) === 'lost' || outcome.kind === 'open') return
    if (outcome.kind === 'isolated') return this.#suspects.keepPlan(entry, outcome.plan)
    await this.#putAside([], [this.#convicted(entry, outcome.class, outcome.message)])
  }

  async #save(state: ReadonlyMap<string, Uint8Array | undefined>): Promise<void> {
    if (state.size === 0) return
    await this.#settler.settle({ ack: [], retry: [], deadLetter: [], state }, Promise.resolve(true), () => {})
  }

  #convicted(entry: LeasedEntry, kind: DeadLetterClass, message: string): DeadLetterOrder {
    this.#report(entry, 'dead-letter', kind, message)
    return deadLetterOf(entry, kind, message)
  }

  /** The orderly end: everything that was run is checkpointed and settled. */
  async #finish(): Promise<void> {
    await this.#settler.done
    if (this.#applied.count > 0) await this.#context.trials.together(() => this.#runEntries([], true))
  }

  #sinkLostRows(error: unknown): void {
    if (this.#end !== 'lost') this.#context.warnings.warn('sink-lost', { shard: this.shard }, messageOf(error))
    this.#stopAs('failed')
  }

  async #release(): Promise<void> {
    try {
      await this.#owned.release()
    } catch (error) {
      // The ownership ends with its lease.
      this.#context.health.failed('release', error, this.shard)
    }
  }

  #stopAs(end: LoopEnd): void {
    if (this.#end !== undefined && GRAVITY[this.#end] >= GRAVITY[end]) return
    this.#end = end
    this.#leasing.abort()
    if (end !== 'lost') return
    this.#working.abort()
    this.#letGo()
  }

  /** What is still held goes to the next owner, or comes back to this one. */
  #letGo(): void {
    const { entries, samples } = this.#held.removeAll()
    this.#context.budget.free(entries)
    if (this.#end === 'failed') this.#context.ledger.retried += samples
    else this.#context.ledger.released += samples
  }

  /** @returns samples */
  #removeHeld(ids: readonly string[]): number {
    const { entries, samples } = this.#held.remove(ids)
    this.#context.budget.free(entries)
    return samples
  }

  #report({ correlationId, attempts, deliveryCount }: LeasedEntry, outcome: string, code: string, why: string): void {
    const fields = { shard: this.shard, correlationId, attempts, deliveryCount, code, outcome }
    this.#context.warnings.warn(`entry-${outcome}-${code}`, fields, why)
  }
}
