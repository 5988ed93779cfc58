import type { PressureLevel, PressureLimits } from '#core/policy/pressure'
import type { BatchProducer, BatchStream, StreamLocator, StreamModule } from '#core/transport/batch-stream'
import type { PressureModule, PressureSignal } from '#core/transport/pressure-signal'
import type { TaskInbox } from '#core/transport/task-inbox'
import { type Backlog, DepthWatch } from './consume/depth-watch.js'
import { PressurePublisher } from './consume/pressure-publisher.js'
import { ShardBalancer } from './consume/shard-balancer.js'
import { ShardLoop } from './consume/shard-loop.js'
import type { ShardLoopContext } from './consume/shard-loop-context.js'
import { SuspectLane } from './consume/suspect-lane.js'
import { type InboxCounters, InboxLoop } from './inbox/inbox-loop.js'

/** A module that knows a store; only some stores have an inbox. */
interface StoreModule extends StreamModule, PressureModule {
  openTaskInbox?(options: unknown, holder: string): Promise<TaskInbox>
}

/** The open ends of a store. */
interface OpenStore {
  stream: BatchStream
  pressure: PressureSignal
  inbox?: { inbox: TaskInbox; producer: BatchProducer }
}

/** Everything that works on an open store: the shards of this processor, its inbox, its look at the backlog. */
export class StoreSession {
  readonly #store: OpenStore
  readonly #balancer: ShardBalancer<ShardLoop>
  readonly #inbox: InboxLoop | undefined
  readonly #depths: DepthWatch
  readonly #pressure: PressurePublisher
  readonly #suspects = new Map<number, SuspectLane>()

  /** @throws TLM_STREAM_UNAVAILABLE, TLM_STREAM_MISCONFIGURED */
  static async open(
    locator: StreamLocator,
    holder: string,
    limits: PressureLimits,
    context: ShardLoopContext,
  ): Promise<StoreSession> {
    return new StoreSession(await openStore(locator, holder), holder, limits, context)
  }

  constructor(store: OpenStore, holder: string, limits: PressureLimits, context: ShardLoopContext) {
    const { settings, health, log, warnings, pool } = context
    const { leaseMs } = settings
    this.#store = store
    this.#depths = new DepthWatch(store.stream, holder, health)
    this.#pressure = new PressurePublisher({
      signal: store.pressure,
      limits,
      backlog: () => this.#depths.backlog,
      health,
      clock: context.clock,
    })
    this.#balancer = new ShardBalancer(
      { holder, leaseMs },
      {
        stream: store.stream,
        health,
        log,
        start: (owned) => new ShardLoop(owned, this.#suspectsOf(owned.shard), context),
        random: Math.random,
      },
    )
    if (store.inbox) this.#inbox = new InboxLoop({ ...store.inbox, pool, health, log, warnings }, leaseMs)
  }

  /** Begins to take shards and to work on them. */
  start(): void {
    void this.#depths.start().then(() => this.#pressure.start())
    this.#balancer.start()
    this.#inbox?.start()
  }

  get shardsOwned(): number {
    return this.#balancer.running.size
  }

  get entriesInFlight(): number {
    return this.#sum((loop) => loop.entriesInFlight)
  }

  get samplesInFlight(): number {
    return this.#sum((loop) => loop.samplesInFlight)
  }

  get backlog(): Backlog {
    return this.#depths.backlog
  }

  get pressure(): PressureLevel {
    return this.#pressure.level
  }

  get inboxCounters(): InboxCounters | undefined {
    return this.#inbox?.counters
  }

  /** Resolves when all shards and the inbox are settled and released. */
  async stop(): Promise<void> {
    await Promise.all([this.#inbox?.stop(), this.#balancer.stop()])
  }

  /** Cuts short what {@link stop} waits for. */
  abandon(): void {
    this.#balancer.abandon()
  }

  /** Takes a last look at the backlog and closes the store. */
  async close(): Promise<void> {
    this.#depths.stop()
    this.#pressure.stop()
    await this.#depths.look()
    const { stream, pressure, inbox } = this.#store
    await Promise.allSettled([stream.close(), pressure.close(), inbox?.inbox.close(), inbox?.producer.close()])
  }

  /** Suspicion outlives the ownership: that ends with each run that dies. */
  #suspectsOf(shard: number): SuspectLane {
    const suspects = this.#suspects.get(shard) ?? new SuspectLane()
    this.#suspects.set(shard, suspects)
    return suspects
  }

  #sum(of: (loop: ShardLoop) => number): number {
    let sum = 0
    for (const loop of this.#balancer.running.values()) sum += of(loop)
    return sum
  }
}

/** Opens all ends or none. */
async function openStore({ moduleUrl, options }: StreamLocator, holder: string): Promise<OpenStore> {
  const module = (await import(moduleUrl)) as StoreModule
  const opened: { close(): Promise<void> }[] = []
  const keep = async <T extends { close(): Promise<void> }>(opening: Promise<T>): Promise<T> => {
    const end = await opening
    opened.push(end)
    return end
  }
  try {
    const stream = await keep(module.openBatchStream(options, holder))
    const pressure = await keep(module.openPressureSignal(options))
    if (module.openTaskInbox === undefined) return { stream, pressure }
    const producer = await keep(module.openBatchProducer(options))
    const inbox = await keep(module.openTaskInbox(options, holder))
    return { stream, pressure, inbox: { inbox, producer } }
  } catch (error) {
    await Promise.allSettled(opened.map((end) => end.close()))
    throw error
  }
}
