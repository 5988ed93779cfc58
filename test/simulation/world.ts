import type { NewClient } from '#core/transport/redis/redis-connection'
import { SimulatedHub } from './actors/simulated-hub.js'
import { SimulatedProcessor } from './actors/simulated-processor.js'
import { SinkTable } from './actors/sink-table.js'
import type { Actor } from './engine/actor.js'
import { Coverage } from './engine/coverage.js'
import type { Scheduler } from './engine/scheduler.js'
import type { SeededRandom } from './engine/seeded-random.js'
import { FaultPlan } from './network/fault-plan.js'
import { type Network, SimulatedClient } from './network/simulated-client.js'
import { Oracle } from './oracle.js'
import { ModelRedis } from './store/model-redis.js'
import type { StoreFlaw } from './store/script-call.js'
import type { WorldPlan } from './world-plan.js'

/** Everything of one schedule: the store, the network, hubs and processors, and who watches them. */
export class World {
  readonly plan: WorldPlan
  readonly scheduler: Scheduler
  /** Draws of everything but the network and the product's own. */
  readonly random: SeededRandom
  readonly coverage = new Coverage()
  readonly sinkTable: SinkTable
  readonly oracle: Oracle
  readonly redis: ModelRedis
  readonly hubs: readonly SimulatedHub[]
  readonly processors: readonly SimulatedProcessor[]
  /** Names of all devices: their place is the device's number. */
  readonly names: readonly string[]
  readonly violations: string[] = []
  readonly deviceOf: (name: string) => number
  readonly #network: Network
  readonly #clients = new Map<Actor, SimulatedClient[]>()
  readonly #times = new Map<string, number>()
  #isFaulty = true

  constructor(plan: WorldPlan, scheduler: Scheduler, random: SeededRandom, flaws: ReadonlySet<StoreFlaw>) {
    this.plan = plan
    this.scheduler = scheduler
    this.random = random
    const devicesOf = Array.from({ length: plan.hubs }, (_, hub) =>
      Array.from({ length: plan.devicesPerHub }, (_, device) => `h${hub}d${device}`),
    )
    this.names = devicesOf.flat()
    const numbers = new Map(this.names.map((name, number) => [name, number]))
    this.deviceOf = (name) => numbers.get(name) as number
    const violated = (what: string) => this.violated(what)
    this.sinkTable = new SinkTable((key) => this.#findingsConflict(key))
    this.oracle = new Oracle(this.sinkTable, this.deviceOf, violated, () => {
      this.coverage.add('innocent convicted', 'alone at too many deaths')
    })
    this.redis = new ModelRedis(scheduler, this.oracle, plan.shards, flaws)
    const faults = new FaultPlan(random.fork(), this.coverage, plan.networkFaults, plan.networkFaultRate)
    this.#network = { scheduler, random: random.fork(), server: this.redis, faults, latencyMs: plan.latencyMs }
    this.hubs = devicesOf.map((devices, hub) => new SimulatedHub(this, `h${hub}`, devices))
    this.processors = Array.from({ length: plan.processors }, (_, n) => new SimulatedProcessor(this, `p${n}`))
  }

  /** Whether faults may happen. */
  get isFaulty(): boolean {
    return this.#isFaulty
  }

  /** From now on all goes well. */
  endFaults(): void {
    this.#isFaulty = false
    this.#network.faults.isOn = false
    this.scheduler.note('no more faults')
  }

  violated(what: string): void {
    this.scheduler.note(`VIOLATED: ${what}`)
    this.violations.push(what)
  }

  /** How often this batch was run, from 1; unlike a process it remembers. */
  nextTimeOf(batchId: string): number {
    const times = (this.#times.get(batchId) ?? 0) + 1
    this.#times.set(batchId, times)
    return times
  }

  /** What `newClient` is for the processes of this actor. */
  clientsOf(actor: Actor): NewClient {
    const clients: SimulatedClient[] = []
    this.#clients.set(actor, clients)
    return ({ socketTimeout = Number.POSITIVE_INFINITY }) => {
      const client = new SimulatedClient(this.#network, actor, socketTimeout)
      clients.push(client)
      // Cast: it has what RedisLink and the transport call.
      return client as unknown as ReturnType<NewClient>
    }
  }

  /** The actor is gone. @returns what was in flight, and whether it arrives */
  cutClientsOf(actor: Actor): string[] {
    const clients = this.#clients.get(actor) ?? []
    this.#clients.delete(actor)
    return clients.flatMap((client) => client.cut(this.random.next()))
  }

  /** @param goesBack to an earlier state of the store */
  restartStore(goesBack: boolean): void {
    const { scheduler, random, redis } = this
    scheduler.note(goesBack ? 'fault: the store goes back in time' : 'fault: the store restarts')
    redis.isUp = false
    for (const clients of this.#clients.values()) {
      for (const client of clients) {
        client.cut(0)
        client.break('read ECONNRESET', random.between(0, 30))
      }
    }
    redis.restart(goesBack)
    scheduler.at(random.between(1, 400), undefined, 'the store is up', () => {
      redis.isUp = true
    })
  }

  #findingsConflict(key: string): void {
    // After a roll-back that lost samples for good others take their place.
    if (this.oracle.travels === 0) this.violated(`finding ${key} came again and says something else`)
  }
}
