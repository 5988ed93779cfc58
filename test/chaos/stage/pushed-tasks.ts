import { setTimeout as pause } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { type Journal, NO_HUB } from '../oracle/journal.js'
import { CHANNEL, PUSHED_DEVICE, takenAtUsOf } from '../samples.js'
import { QUEUE } from './store-leftovers.js'

const INTERVAL_MS = 100
const AGAIN_MS = 200
/** With `appendfsync everysec` Redis keeps confirmed writes to itself for so long at most while the disk stalls. */
const UNWRITTEN_MS = 2000
/** More pushes than there are in that time. */
const REMEMBERED = 100

/**
 * Somebody who pushes tasks with `RPUSH telemetry:tasks`, around all proxies: each push that Redis has confirmed must
 * take effect once. Pushing has no memory, so a push without a reply is not repeated: it is uncertain.
 */
export class PushedTasks {
  readonly #client: Redis
  readonly #journal: Journal
  /** Numbers that Redis had confirmed so lately when it was killed that it may have lost them. */
  readonly atRisk = new Set<number>()
  #confirmed: { number: number; atMs: number }[] = []
  #isStopping = false
  #running: Promise<void> | undefined

  constructor(port: number, journal: Journal) {
    const never = { retryStrategy: null, maxRetriesPerRequest: 0, autoResendUnfulfilledCommands: false }
    this.#client = new Redis({ port, host: '127.0.0.1', lazyConnect: true, enableOfflineQueue: false, ...never })
    this.#client.on('error', () => {})
    this.#journal = journal
  }

  /** Redis has just been killed. */
  redisKilled(): void {
    const sinceMs = performance.now() - UNWRITTEN_MS
    for (const { number, atMs } of this.#confirmed) if (atMs >= sinceMs) this.atRisk.add(number)
    this.#confirmed = []
  }

  start(): void {
    this.#running ??= this.#run()
  }

  async stop(): Promise<void> {
    this.#isStopping = true
    await this.#running
    this.#client.disconnect()
  }

  async #run(): Promise<void> {
    while (!this.#isStopping) {
      const isOpen = this.#client.status === 'ready' || (await this.#connect())
      if (isOpen) await this.#push()
      await pause(isOpen ? INTERVAL_MS : AGAIN_MS)
    }
  }

  /** @returns whether pushes may be sent */
  async #connect(): Promise<boolean> {
    try {
      await this.#client.connect()
      // Refused while Redis loads its data.
      await this.#client.ping()
      return true
    } catch {
      this.#client.disconnect()
      return false
    }
  }

  async #push(): Promise<void> {
    const first = this.#journal.next(PUSHED_DEVICE)
    const payload = { device_id: PUSHED_DEVICE, timestamp: takenAtUsOf(first), [CHANNEL]: first }
    const outcome = await this.#client.rpush(QUEUE, JSON.stringify({ type: 'telemetry.store', payload })).then(
      () => 'accepted' as const,
      () => 'uncertain' as const,
    )
    this.#journal.add(PUSHED_DEVICE, { first, count: 1, hub: NO_HUB, outcome })
    if (outcome === 'uncertain') this.#client.disconnect()
    else this.#confirmed = [...this.#confirmed.slice(-REMEMBERED), { number: first, atMs: performance.now() }]
  }
}
