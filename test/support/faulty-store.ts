import { setTimeout as delay } from 'node:timers/promises'
import { TelemetryError } from '#core/errors/telemetry-error'
import { batchId } from '#core/model/batch'
import type {
  BatchStream,
  DeadPart,
  LeasedEntry,
  OwnedShard,
  SealedBatch,
  Settlement,
  SettleResult,
  ShardDepth,
} from '#core/transport/batch-stream'
import { deadLettersByEntry } from '#core/transport/dead-letter-orders'

/** Calls that tests make fail. */
export type StoreCall = 'own' | 'beat' | 'loadState' | 'lease' | 'renew' | 'settle' | 'release'

interface StoredEntry {
  entry: Omit<LeasedEntry, 'deliveryCount' | 'attempts'>
  deliveryCount: number
  attempts: number
  /** Token of the ownership it is leased to. */
  leasedTo: number | undefined
  /** `performance.now` from which it may be leased. */
  fromMs: number
}

interface Shard {
  entries: Map<string, StoredEntry>
  state: Map<string, Uint8Array>
  deadLetters: { id: string; class: string; message: string; part?: DeadPart | undefined }[]
  token: number
  owner: string | undefined
  untilMs: number
}

/**
 * A store in memory that follows the contract of `transport/batch-stream`, for tests of what stands on it: any call can be
 * made to fail, before or after it took effect, and every settlement can be looked at.
 */
export class FaultyStore {
  readonly shards: Shard[]
  readonly members = new Map<string, number>()
  /** Called before a settlement takes effect. */
  onSettle: (shard: number, settlement: Settlement) => void = () => {}
  /** Called before each call; throws, or resolves to `'after'` to throw once the call has taken effect. */
  fault: (call: StoreCall, shard: number) => undefined | 'after' = () => undefined
  #nextId = 1
  #wake: (() => void)[] = []

  constructor(shards: number) {
    this.shards = Array.from({ length: shards }, () => ({
      entries: new Map(),
      state: new Map(),
      deadLetters: [],
      token: 0,
      owner: undefined,
      untilMs: 0,
    }))
  }

  append(batch: SealedBatch): void {
    const id = `${batch.priority}-${String(this.#nextId++).padStart(9, '0')}`
    const { priority, handler, samples, firstTakenAtUs, body, shard } = batch
    const entry = { id, priority, handler, samples, firstTakenAtUs, body, correlationId: batchId(batch, shard) }
    this.shards[shard].entries.set(id, { entry, deliveryCount: 0, attempts: 0, leasedTo: undefined, fromMs: 0 })
    this.wake()
  }

  /** Entries that nobody has settled. */
  get unsettled(): number {
    return this.shards.reduce((sum, { entries }) => sum + entries.size, 0)
  }

  /** Correlation id of an entry as it was leased; `undefined` once it is settled. */
  correlationOf(shard: number, id: string): string | undefined {
    return this.shards[shard].entries.get(storedId(id))?.entry.correlationId
  }

  stream(holder: string): BatchStream {
    return new FaultyStream(this, holder)
  }

  wake(): void {
    for (const resolve of this.#wake.splice(0)) resolve()
  }

  /** Until something was appended or given back, or after `ms`. */
  async change(ms: number, signal?: AbortSignal): Promise<void> {
    const timeout = new AbortController()
    const stop = () => timeout.abort()
    signal?.addEventListener('abort', stop, { once: true })
    const changed = new Promise<void>((resolve) => this.#wake.push(resolve))
    await Promise.race([changed, delay(ms, undefined, { signal: timeout.signal }).catch(() => {})])
    timeout.abort()
    signal?.removeEventListener('abort', stop)
  }

  /** Runs a call with the fault that the test has for it. */
  async call<T>(call: StoreCall, shard: number, effect: () => T | Promise<T>): Promise<T> {
    const failed = () => new TelemetryError('TLM_STREAM_UNAVAILABLE', `The store failed in ${call} as the test asked.`)
    let fault: undefined | 'after'
    try {
      fault = this.fault(call, shard)
    } catch {
      throw failed()
    }
    const result = await effect()
    if (fault === 'after') throw failed()
    return result
  }
}

class FaultyStream implements BatchStream {
  readonly shards: number
  readonly #store: FaultyStore
  readonly #holder: string

  constructor(store: FaultyStore, holder: string) {
    this.shards = store.shards.length
    this.#store = store
    this.#holder = holder
  }

  own(shard: number, leaseMs: number): Promise<OwnedShard | undefined> {
    return this.#store.call('own', shard, () => {
      const state = this.#store.shards[shard]
      const nowMs = performance.now()
      if (state.owner !== undefined && state.untilMs > nowMs && state.owner !== this.#holder) return undefined
      state.owner = this.#holder
      state.untilMs = nowMs + leaseMs
      state.token++
      for (const stored of state.entries.values()) stored.leasedTo = undefined
      return new FaultyShard(this.#store, shard, state.token, leaseMs)
    })
  }

  beat(memberMs: number): Promise<string[]> {
    return this.#store.call('beat', -1, () => {
      const nowMs = performance.now()
      this.#store.members.set(this.#holder, nowMs + memberMs)
      return [...this.#store.members].flatMap(([member, untilMs]) => (untilMs > nowMs ? [member] : [])).sort()
    })
  }

  async depths(): Promise<ShardDepth[]> {
    return this.#store.shards.map(({ entries, deadLetters, owner }, shard) => ({
      shard,
      entries: entries.size,
      samples: [...entries.values()].reduce((sum, { entry }) => sum + entry.samples, 0),
      bytes: 0,
      deadLetters: deadLetters.length,
      delayed: 0,
      oldestStoredAtUs: undefined,
      owner,
    }))
  }

  async close(): Promise<void> {}
}

/** Without the ownership it was handed out in: an entry's id may change from owner to owner. */
function storedId(id: string): string {
  return id.slice(id.indexOf('/') + 1)
}

class FaultyShard implements OwnedShard {
  readonly shard: number
  readonly token: number
  readonly #store: FaultyStore
  readonly #state: Shard
  readonly #leaseMs: number
  #lastLeased: string[] = []

  constructor(store: FaultyStore, shard: number, token: number, leaseMs: number) {
    this.#store = store
    this.#state = store.shards[shard]
    this.shard = shard
    this.token = token
    this.#leaseMs = leaseMs
  }

  loadState(): Promise<Map<string, Uint8Array>> {
    return this.#store.call('loadState', this.shard, () => new Map(this.#state.state))
  }

  async lease(
    { maxEntries }: { maxEntries: number; maxBytes: number },
    waitMs: number,
    signal?: AbortSignal,
  ): Promise<LeasedEntry[]> {
    const leasing = this.#store.call('lease', this.shard, async () => {
      const untilMs = performance.now() + waitMs
      for (;;) {
        const leased = this.#leaseNow(maxEntries)
        this.#lastLeased = leased.map(({ id }) => id)
        const leftMs = untilMs - performance.now()
        if (leased.length > 0 || leftMs <= 0 || signal?.aborted) return leased
        await this.#store.change(Math.min(leftMs, 20), signal)
      }
    })
    return leasing.catch((error) => {
      // What was on its way when a lease failed comes with the next one.
      for (const id of this.#lastLeased)
        Object.assign(this.#state.entries.get(storedId(id)) ?? {}, { leasedTo: undefined })
      throw error
    })
  }

  renew(): Promise<boolean> {
    return this.#store.call('renew', this.shard, () => {
      if (!this.#isOurs) return false
      this.#state.untilMs = performance.now() + this.#leaseMs
      return true
    })
  }

  settle(settlement: Settlement): Promise<SettleResult> {
    return this.#store.call('settle', this.shard, (): SettleResult => {
      if (!this.#isOurs) return { kind: 'fenced' }
      this.#store.onSettle(this.shard, settlement)
      const { entries, state, deadLetters } = this.#state
      for (const id of settlement.ack) entries.delete(storedId(id))
      for (const { id, attempts, afterMs, handler, isUntouched } of settlement.retry) {
        const stored = entries.get(storedId(id))
        if (stored === undefined) continue
        Object.assign(stored, { attempts, fromMs: performance.now() + afterMs, leasedTo: undefined })
        if (isUntouched) stored.deliveryCount = 0
        if (handler !== undefined) stored.entry = { ...stored.entry, handler }
      }
      for (const [id, orders] of deadLettersByEntry(settlement.deadLetter)) {
        if (!entries.delete(storedId(id))) continue
        for (const { class: reason, message, part } of orders) deadLetters.push({ id, class: reason, message, part })
      }
      for (const [key, row] of settlement.state) {
        if (row === undefined) state.delete(key)
        else state.set(key, row)
      }
      return { kind: 'settled' }
    })
  }

  release(): Promise<void> {
    return this.#store.call('release', this.shard, () => {
      if (!this.#isOurs) return
      this.#state.owner = undefined
      this.#state.token++
      for (const stored of this.#state.entries.values()) stored.leasedTo = undefined
      this.#store.wake()
    })
  }

  get #isOurs(): boolean {
    return this.#state.token === this.token
  }

  #leaseNow(maxEntries: number): LeasedEntry[] {
    if (!this.#isOurs) return []
    const nowMs = performance.now()
    const free = [...this.#state.entries.values()].filter(
      ({ leasedTo, fromMs }) => leasedTo === undefined && fromMs <= nowMs,
    )
    const next = free.sort((a, b) => (a.entry.id < b.entry.id ? -1 : 1)).slice(0, maxEntries)
    return next.map((stored) => {
      stored.leasedTo = this.token
      stored.deliveryCount++
      const id = `${this.token}/${stored.entry.id}`
      return { ...stored.entry, id, deliveryCount: stored.deliveryCount, attempts: stored.attempts }
    })
  }
}
