import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { TelemetryError } from '#core/errors/telemetry-error'
import type { Clock } from '#core/time/clock'
import type { BatchStream, OwnedShard, ShardDepth } from '#core/transport/batch-stream'
import { ControlLog } from './control-log.js'
import { ControlView } from './control-view.js'
import { type LeaseClock, openLeaseClock } from './lease-clock.js'
import { Members } from './members.js'
import { OwnedEmbeddedShard } from './owned-shard.js'
import { ShardDepthGauge } from './shard-depth.js'
import { type ShardFolders, type StoreDirectory, shardFolders } from './store-directory.js'
import { storeError } from './store-failure.js'

/** Reads the embedded store. Thread: the main thread of a program. */
export class EmbeddedBatchStream implements BatchStream {
  readonly #store: StoreDirectory
  readonly #holder: string
  readonly #clock: Clock
  readonly #leaseClock: LeaseClock = openLeaseClock()
  readonly #folders: ShardFolders[]
  readonly #gauges: ShardDepthGauge[]
  readonly #members: Members
  readonly #owned = new Set<OwnedEmbeddedShard>()

  /**
   * @param holder unique name of this process
   * @throws TLM_STREAM_MISCONFIGURED, TLM_STREAM_UNAVAILABLE
   */
  constructor(store: StoreDirectory, holder: string, clock: Clock) {
    this.#store = store
    this.#holder = holder
    this.#clock = clock
    this.#members = new Members(join(store.root, 'members'), this.#leaseClock)
    this.#folders = Array.from({ length: store.shards }, (_, shard) => shardFolders(store, shard))
    this.#gauges = this.#folders.map(({ log, control }) => {
      return new ShardDepthGauge(log, new ControlView(control, this.#leaseClock, false))
    })
    try {
      for (const { control } of this.#folders) mkdirSync(control, { recursive: true })
    } catch (error) {
      throw storeError(error, store.directory)
    }
  }

  get shards(): number {
    return this.#store.shards
  }

  async own(shard: number, leaseMs: number): Promise<OwnedShard | undefined> {
    const folders = this.#folders[shard]
    if (folders === undefined) {
      const message = `Shard ${shard} is not among the ${this.shards} of the store in ${this.#store.directory}.`
      throw new TelemetryError('TLM_INVARIANT_BROKEN', message, { shard, shards: this.shards })
    }
    try {
      const claimant = { folder: folders.control, holder: this.#holder, leaseMs, clock: this.#leaseClock }
      const control = await ControlLog.claim(claimant)
      if (control === undefined) return undefined
      const forget = (closed: OwnedEmbeddedShard) => this.#owned.delete(closed)
      const owned = new OwnedEmbeddedShard(shard, control, folders, this.#store.deadLetters, this.#clock, forget)
      this.#owned.add(owned)
      return owned
    } catch (error) {
      throw storeError(error, this.#store.directory)
    }
  }

  async beat(memberMs: number): Promise<string[]> {
    try {
      return this.#members.beat(this.#holder, memberMs)
    } catch (error) {
      throw storeError(error, this.#store.directory)
    }
  }

  async depths(): Promise<ShardDepth[]> {
    const depths: ShardDepth[] = []
    try {
      for (const [shard, gauge] of this.#gauges.entries()) {
        depths.push({ shard, ...(await gauge.measure(this.#clock.nowUs() / 1000)) })
      }
    } catch (error) {
      throw storeError(error, this.#store.directory)
    }
    return depths
  }

  async close(): Promise<void> {
    await Promise.all([...this.#owned].map((owned) => owned.close()))
  }
}
