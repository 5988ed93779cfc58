import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { TelemetryError } from '#core/errors/telemetry-error'
import type { Clock } from '#core/time/clock'
import type { BatchStream, OwnedShard, ShardDepth } from '#core/transport/batch-stream'
import { type MemberRow, type OwnerRow, ROWS, type UntilRow } from './control-rows.js'
import { type LeaseClock, openLeaseClock } from './lease-clock.js'
import { OwnedEmbeddedShard, type ShardAccess } from './owned-shard.js'
import { RowStore } from './row-store.js'
import { ShardDepthGauge } from './shard-depth.js'
import { type StoreDirectory, shardFolder } from './store-directory.js'
import { storeError } from './store-failure.js'

/** Reads the embedded store. Thread: the main thread of a program. */
export class EmbeddedBatchStream implements BatchStream {
  readonly #store: StoreDirectory
  readonly #holder: string
  readonly #control: RowStore
  readonly #session: RowStore
  readonly #clock: Clock
  readonly #leaseClock: LeaseClock
  readonly #gauges: ShardDepthGauge[]
  readonly #owned = new Set<OwnedEmbeddedShard>()

  private constructor(
    store: StoreDirectory,
    holder: string,
    rows: { control: RowStore; session: RowStore },
    clocks: { clock: Clock; leaseClock: LeaseClock },
  ) {
    this.#store = store
    this.#holder = holder
    this.#control = rows.control
    this.#session = rows.session
    this.#clock = clocks.clock
    this.#leaseClock = clocks.leaseClock
    this.#gauges = Array.from(
      { length: store.shards },
      (_, shard) => new ShardDepthGauge(shard, shardFolder(store, shard), rows.control),
    )
  }

  /** @throws TLM_PACKAGE_MISSING @throws TLM_STREAM_UNAVAILABLE */
  static async open(store: StoreDirectory, holder: string, clock: Clock): Promise<EmbeddedBatchStream> {
    const leaseClock = openLeaseClock()
    const control = await RowStore.open(join(store.root, 'control'), 'power-cut')
    try {
      const session = await openSession(store, leaseClock)
      for (let shard = 0; shard < store.shards; shard++) await makeShardRows(control, session, shard)
      return new EmbeddedBatchStream(store, holder, { control, session }, { clock, leaseClock })
    } catch (error) {
      await control.close()
      throw error
    }
  }

  get shards(): number {
    return this.#store.shards
  }

  async own(shard: number, leaseMs: number): Promise<OwnedShard | undefined> {
    this.#checkShard(shard)
    const token = await this.#claim(shard, leaseMs)
    if (token === undefined) return undefined
    try {
      const owned = new OwnedEmbeddedShard(shard, token, leaseMs, this.#access(shard))
      this.#owned.add(owned)
      return owned
    } catch (error) {
      throw storeError(error, this.#store.directory)
    }
  }

  async beat(memberMs: number): Promise<string[]> {
    const nowMs = this.#leaseClock.nowMs()
    const members = this.#session.list<MemberRow>(ROWS.members())
    const dead = members.filter(({ value }) => value.untilMs <= nowMs).map(({ key }) => ({ key, value: undefined }))
    const own: MemberRow = { untilMs: nowMs + memberMs }
    await this.#session.commit([], [...dead, { key: ROWS.member(this.#holder), value: own }])
    const living = members.filter(({ value }) => value.untilMs > nowMs).map(({ key }) => key[2] as string)
    return [...new Set([...living, this.#holder])].sort()
  }

  async depths(): Promise<ShardDepth[]> {
    const depths: ShardDepth[] = []
    try {
      for (const [shard, gauge] of this.#gauges.entries()) {
        const contents = await gauge.measure(this.#clock.nowUs() / 1000)
        depths.push({ shard, ...contents, owner: this.#ownerOf(shard) })
      }
    } catch (error) {
      throw storeError(error, this.#store.directory)
    }
    return depths
  }

  async close(): Promise<void> {
    for (const owned of this.#owned) await owned.close()
    await this.#session.close()
    await this.#control.close()
  }

  /**
   * Takes the shard in two steps, each conditional on what was seen before: the lease, then the token that settling
   * depends on. Whoever falls asleep between them finds the token taken.
   *
   * @returns the new token; `undefined` when somebody else holds the shard or was faster
   */
  async #claim(shard: number, leaseMs: number): Promise<number | undefined> {
    const [ownerKey, untilKey] = [ROWS.owner(shard), ROWS.until(shard)]
    const { version: settledBy } = required(this.#control.get<OwnerRow>(ownerKey))
    const owner = required(this.#session.get<OwnerRow>(ownerKey))
    const until = required(this.#session.get<UntilRow>(untilKey))
    const nowMs = this.#leaseClock.nowMs()
    if (isHeld(owner.value, until.value, nowMs) && owner.value.holder !== this.#holder) return undefined
    const token = settledBy + 1
    const holder: OwnerRow = { holder: this.#holder }
    const lease: UntilRow = { untilMs: nowMs + leaseMs }
    const isLeased = await this.#session.commit(
      [
        { key: ownerKey, version: owner.version },
        { key: untilKey, version: until.version },
      ],
      [
        { key: ownerKey, value: holder, version: token },
        { key: untilKey, value: lease, version: until.version + 1 },
      ],
    )
    if (!isLeased) return undefined
    const condition = { key: ownerKey, version: settledBy }
    return (await this.#control.commit([condition], [{ key: ownerKey, value: holder, version: token }]))
      ? token
      : undefined
  }

  #ownerOf(shard: number): string | undefined {
    const owner = required(this.#session.get<OwnerRow>(ROWS.owner(shard))).value
    const until = required(this.#session.get<UntilRow>(ROWS.until(shard))).value
    return isHeld(owner, until, this.#leaseClock.nowMs()) ? owner.holder : undefined
  }

  #access(shard: number): ShardAccess {
    return {
      control: this.#control,
      session: this.#session,
      clock: this.#clock,
      leaseClock: this.#leaseClock,
      folder: shardFolder(this.#store, shard),
      holder: this.#holder,
    }
  }

  #checkShard(shard: number): void {
    if (Number.isInteger(shard) && shard >= 0 && shard < this.shards) return
    const message = `Shard ${shard} is not among the ${this.shards} of the store in ${this.#store.directory}.`
    throw new TelemetryError('TLM_INVARIANT_BROKEN', message, { shard, shards: this.shards })
  }
}

/** The rows that end with a boot are kept per boot, without flushing; those of earlier boots go. */
async function openSession(store: StoreDirectory, { session }: LeaseClock): Promise<RowStore> {
  const name = `session-${session}`
  try {
    for (const other of readdirSync(store.root)) {
      if (other.startsWith('session-') && other !== name)
        rmSync(join(store.root, other), { recursive: true, force: true })
    }
  } catch (error) {
    throw storeError(error, store.directory)
  }
  return RowStore.open(join(store.root, name), session === 'host' ? 'power-cut' : 'process')
}

/** Conditions are on versions of rows that exist: so they all do from the start. */
async function makeShardRows(control: RowStore, session: RowStore, shard: number): Promise<void> {
  const nobody: OwnerRow = { holder: undefined }
  const never: UntilRow = { untilMs: 0 }
  if (control.get(ROWS.owner(shard)) === undefined) {
    await control.create({ key: ROWS.owner(shard), value: nobody, version: 1 })
  }
  if (session.get(ROWS.owner(shard)) === undefined) {
    await session.create({ key: ROWS.owner(shard), value: nobody, version: 1 })
  }
  if (session.get(ROWS.until(shard)) === undefined) {
    await session.create({ key: ROWS.until(shard), value: never, version: 1 })
  }
}

function isHeld(owner: OwnerRow, until: UntilRow, nowMs: number): boolean {
  return owner.holder !== undefined && until.untilMs > nowMs
}

function required<T>(row: T | undefined): T {
  if (row !== undefined) return row
  throw new TelemetryError('TLM_STREAM_UNAVAILABLE', 'The embedded store was removed while it was in use.')
}
