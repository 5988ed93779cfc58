import { setTimeout } from 'node:timers/promises'
import { TelemetryError } from '../../errors/telemetry-error.js'
import { hashSlot, SLOTS } from './hash-slot.js'
import { addressText, newConnection } from './redis-connection.js'
import { toTelemetryError } from './redis-errors.js'
import { nodeAt, type RedisNode, type RedisTopology } from './redis-node.js'
import type { RedisAddress, RedisOptions } from './redis-options.js'

/** Looks at the cluster come no closer together: a storm of redirections must not become one of questions. */
const REFRESH_PAUSE_MS = 100
/** So many nodes are asked at once; the first answer counts, so that one frozen node holds nothing up. */
const ASKED_AT_ONCE = 3

/** A reply of CLUSTER SLOTS: ranges of slots, each with its master first. */
type SlotsReply = [from: number, to: number, master: [host: string | null, port: number], ...replicas: unknown[]][]

/** Who holds which slots of a cluster, as its nodes say. Asked again when in doubt, never by the clock. */
export class ClusterMap implements RedisTopology {
  readonly where: string
  readonly isCluster = true
  readonly #options: RedisOptions
  readonly #seeds: readonly RedisAddress[]
  readonly #nodes = new Map<string, RedisNode>()
  #holders: (RedisNode | undefined)[] = new Array(SLOTS)
  #isDoubted = true
  #refreshedMs = Number.NEGATIVE_INFINITY
  #refreshing: Promise<void> | undefined

  /** @param seeds nodes to begin with; the others are learned */
  constructor(options: RedisOptions, seeds: readonly RedisAddress[]) {
    this.where = `Redis Cluster at ${seeds.map(addressText).join(', ')}`
    this.#options = options
    this.#seeds = seeds
  }

  async nodeOf(key: string): Promise<RedisNode> {
    if (this.#isDoubted) await this.#refresh()
    const slot = hashSlot(key)
    const node = this.#holders[slot]
    if (node !== undefined) return node
    this.#isDoubted = true
    throw new TelemetryError(
      'TLM_STREAM_UNAVAILABLE',
      `${this.where}: nobody holds slot ${slot}, that of ${key}. Fix: redis-cli --cluster check, then fix.`,
      { trouble: 'unavailable' },
    )
  }

  async masters(): Promise<readonly RedisNode[]> {
    if (this.#isDoubted) await this.#refresh()
    return [...new Set(this.#holders)].filter((node) => node !== undefined)
  }

  doubt(): void {
    this.#isDoubted = true
  }

  moved(slot: number, to: RedisAddress): void {
    // No doubt about the others: whichever node was asked might not have heard of this move yet.
    this.#holders[slot] = this.#node(to)
  }

  #refresh(): Promise<void> {
    this.#refreshing ??= this.#look().finally(() => {
      this.#refreshedMs = performance.now()
      this.#refreshing = undefined
    })
    return this.#refreshing
  }

  async #look(): Promise<void> {
    const pauseMs = this.#refreshedMs + REFRESH_PAUSE_MS - performance.now()
    if (pauseMs > 0) await setTimeout(pauseMs)
    const candidates = this.#candidates()
    const failures: unknown[] = []
    for (let at = 0; at < candidates.length; at += ASKED_AT_ONCE) {
      const asked = candidates.slice(at, at + ASKED_AT_ONCE)
      try {
        const ranges = await Promise.any(asked.map((address) => this.#ask(address)))
        this.#isDoubted = false
        this.#learn(ranges)
        return
      } catch (error) {
        failures.push(...(error as AggregateError).errors)
      }
    }
    // The last is a seed's: what an operator has written down.
    throw toTelemetryError(failures.at(-1), this.where)
  }

  /** Nodes that hold slots, in another order every time, then the seeds. */
  #candidates(): RedisAddress[] {
    const known = [...new Set(this.#holders)].flatMap((node) => (node ? [node.target as RedisAddress] : []))
    for (let i = known.length - 1; i > 0; i--) {
      const j = Math.floor(Math.random() * (i + 1))
      ;[known[i], known[j]] = [known[j], known[i]]
    }
    const names = new Set(known.map(addressText))
    return [...known, ...this.#seeds.filter((seed) => !names.has(addressText(seed)))]
  }

  async #ask(address: RedisAddress): Promise<[from: number, to: number, holder: RedisAddress][]> {
    const client = newConnection(this.#options, address, 'topology', this.#options.commandTimeoutMs)
    let cause: unknown
    client.on('error', (error) => {
      cause ??= error
    })
    try {
      await client.connect()
      const reply = (await client.cluster('SLOTS')) as unknown as SlotsReply
      if (reply.length === 0) throw new Error('CLUSTERDOWN it holds no slots yet')
      return reply.map(([from, to, [host, port]]) => [from, to, { host: host || address.host, port }])
    } catch (error) {
      throw toTelemetryError(cause ?? error, `${this.where}, node ${addressText(address)}`)
    } finally {
      client.disconnect()
    }
  }

  #learn(ranges: readonly [from: number, to: number, holder: RedisAddress][]): void {
    const holders: (RedisNode | undefined)[] = new Array(SLOTS)
    for (const [from, to, holder] of ranges) holders.fill(this.#node(holder), from, to + 1)
    this.#holders = holders
    const held = new Set(holders)
    for (const [name, node] of this.#nodes) if (!held.has(node)) this.#nodes.delete(name)
  }

  /** One object for each node. */
  #node(address: RedisAddress): RedisNode {
    const name = addressText(address)
    const node = this.#nodes.get(name) ?? nodeAt(address)
    this.#nodes.set(name, node)
    return node
  }
}
