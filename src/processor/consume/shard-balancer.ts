import { type Backoff, backoffWaitMs } from '#core/policy/backoff'
import { pause } from '#core/time/pause'
import type { BatchStream, OwnedShard } from '#core/transport/batch-stream'
import type { Logger } from '../../host/logger.js'
import type { StoreHealth } from '../store-health.js'
import { fairShare, preferredShards } from './fair-share.js'
import type { LoopEnd } from './shard-loop.js'

/** Longest time between two looks at who else is there. */
const MAX_BEAT_MS = 1000
/** The same while this member owns less than its share. */
const MAX_SEARCH_MS = 250
/** Waits before a shard whose loop failed is taken again. */
const FAILED: Backoff = { baseMs: 50, maxMs: 5000 }
/** A loop that lived this long before it failed counts as the first failure. */
const STEADY_MS = 60_000

/** A shard at work, see `ShardLoop`. */
export interface RunningShard {
  readonly ended: Promise<LoopEnd>
  handOver(): void
  abandon(): void
}

export interface BalancerSettings {
  /** Unique name of this processor. */
  holder: string
  /** How long an ownership, and the membership, outlives its last sign of life. */
  leaseMs: number
}

export interface BalancerParts<Running extends RunningShard> {
  stream: BatchStream
  health: StoreHealth
  log: Logger
  /** Begins the work on a shard that was just taken. */
  start(owned: OwnedShard): Running
  /** In [0, 1); spreads the members over time. */
  random(): number
}

interface Failures {
  count: number
  /** `performance.now` from which the shard may be taken again. */
  untilMs: number
}

/**
 * Takes part in sharing out the shards among all processors. Each member beats, sees who lives, and computes its own
 * share: below it, it takes free shards; above it, it hands over those that others would prefer. Nobody decides for
 * others, so there is no leader to lose; ownership itself is the store's business.
 *
 * Shares change only with the membership, so shards move only then. Those of a dead member become free when their lease
 * ends. Thread: the processor's main thread.
 */
export class ShardBalancer<Running extends RunningShard> {
  readonly #settings: BalancerSettings
  readonly #parts: BalancerParts<Running>
  readonly #running = new Map<number, Running>()
  readonly #handingOver = new Set<number>()
  readonly #failures = new Map<number, Failures>()
  readonly #stopping = new AbortController()
  /** Replaced with every round; aborted to begin the next one early. */
  #rest = new AbortController()
  #rounds: Promise<void> | undefined

  constructor(settings: BalancerSettings, parts: BalancerParts<Running>) {
    this.#settings = settings
    this.#parts = parts
  }

  /** Shards at work, those being handed over included. */
  get running(): ReadonlyMap<number, Running> {
    return this.#running
  }

  start(): void {
    this.#rounds ??= this.#runRounds()
  }

  /** Hands over all shards; resolves when the last is released. Members see the departure at once. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#rest.abort()
    for (const shard of this.#running.keys()) this.#handOver(shard)
    await this.#rounds
    // A shard that was being taken when the stop came.
    for (const shard of this.#running.keys()) this.#handOver(shard)
    await Promise.all([...this.#running.values()].map(({ ended }) => ended))
    await this.#leave()
  }

  /** Ends what {@link stop} waits for. */
  abandon(): void {
    for (const running of this.#running.values()) running.abandon()
  }

  async #runRounds(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      this.#rest = new AbortController()
      const isContent = await this.#round()
      const longestMs = Math.min(this.#settings.leaseMs / 4, isContent ? MAX_BEAT_MS : MAX_SEARCH_MS)
      if (!this.#stopping.signal.aborted) await pause(longestMs * (0.6 + 0.4 * this.#parts.random()), this.#rest.signal)
    }
  }

  /** @returns whether this member owns its share */
  async #round(): Promise<boolean> {
    const { stream, health } = this.#parts
    const { holder, leaseMs } = this.#settings
    try {
      const members = await stream.beat(leaseMs)
      const share = fairShare(members, holder, stream.shards)
      const preferred = preferredShards(members, holder, stream.shards)
      const kept = preferred.filter((shard) => this.#running.has(shard) && !this.#handingOver.has(shard))
      for (const shard of kept.slice(share)) this.#handOver(shard)
      const isContent = await this.#takeShards(preferred, share - kept.length)
      health.answered()
      return isContent
    } catch (error) {
      health.failed('balance', error)
      return false
    }
  }

  async #takeShards(preferred: readonly number[], wanted: number): Promise<boolean> {
    const { stream, start, log } = this.#parts
    let taken = 0
    for (const shard of preferred) {
      if (taken >= wanted || this.#stopping.signal.aborted) break
      if (this.#running.has(shard) || !this.#mayTake(shard)) continue
      const owned = await stream.own(shard, this.#settings.leaseMs)
      if (owned === undefined) continue
      const running = start(owned)
      this.#running.set(shard, running)
      log.debug({ shard, token: owned.token }, 'shard taken')
      void this.#follow(shard, running)
      taken++
    }
    return taken >= wanted
  }

  async #follow(shard: number, running: Running): Promise<void> {
    const sinceMs = performance.now()
    const end = await running.ended
    this.#running.delete(shard)
    this.#handingOver.delete(shard)
    if (end === 'failed') this.#noteFailure(shard, sinceMs)
    this.#parts.log[end === 'handed-over' ? 'debug' : 'warn']({ shard, end }, 'shard given up')
    // Somebody may be waiting for it, and this member may now own too little: look soon.
    if (end !== 'handed-over') this.#rest.abort()
  }

  #mayTake(shard: number): boolean {
    return performance.now() >= (this.#failures.get(shard)?.untilMs ?? 0)
  }

  #noteFailure(shard: number, sinceMs: number): void {
    const nowMs = performance.now()
    const before = nowMs - sinceMs > STEADY_MS ? 0 : (this.#failures.get(shard)?.count ?? 0)
    const waitMs = backoffWaitMs(FAILED, before + 1, this.#parts.random())
    this.#failures.set(shard, { count: before + 1, untilMs: nowMs + waitMs })
  }

  #handOver(shard: number): void {
    this.#handingOver.add(shard)
    this.#running.get(shard)?.handOver()
  }

  /** A membership of a millisecond ends the one there is. */
  async #leave(): Promise<void> {
    try {
      await this.#parts.stream.beat(1)
    } catch (error) {
      this.#parts.health.failed('leave', error)
    }
  }
}
