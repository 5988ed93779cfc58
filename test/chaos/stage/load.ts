import { setTimeout as pause } from 'node:timers/promises'
import type { Journal, OfferOutcome } from '../oracle/journal.js'
import { CHANNEL, type Conduct, takenAtUsOf } from '../samples.js'
import type { HubKeeper, RunningHub } from './hub-keeper.js'

export interface LoadOptions {
  devices: readonly string[]
  /** Of each device in one request; a request every {@link LoadOptions.intervalMs}. */
  readings: number
  intervalMs: number
}

/** What a hub answers in time is certain. */
const REPLY_MS = 5000
/** Every second request asks the hub to answer only when its samples are stored; shorter than {@link REPLY_MS}. */
const WAIT_HEADERS = { prefer: 'wait=3' }
/** Before the same readings are offered again that were certainly not taken. */
const AGAIN_MS = 100

/** Devices that push their readings to `POST /telemetry`, each sample known to the journal. */
export class SteadyLoad {
  /** Requests that the hub refused as overloaded: offered again. */
  refused = 0
  readonly #options: LoadOptions
  readonly #hubs: HubKeeper
  readonly #journal: Journal
  readonly #marked: Conduct[] = []
  #asksToWait = false
  #isStopping = false
  #running: Promise<void> | undefined

  constructor(options: LoadOptions, hubs: HubKeeper, journal: Journal) {
    this.#options = options
    this.#hubs = hubs
    this.#journal = journal
  }

  start(): void {
    this.#running ??= this.#run()
  }

  /** Slips one sample of the kind in soon. */
  slipIn(conduct: Conduct): void {
    this.#marked.push(conduct)
  }

  async stop(): Promise<void> {
    this.#isStopping = true
    await this.#running
  }

  async #run(): Promise<void> {
    const { devices, readings, intervalMs } = this.#options
    let dueMs = performance.now()
    while (!this.#isStopping) {
      await this.#push(devices, readings)
      const marked = this.#marked.shift()
      // Of low priority: they have batches of their own, so what is dead-lettered with them is told apart.
      if (marked !== undefined) await this.#push([marked], 1, 'LOW')
      // What the hub kept waiting is not made up for.
      dueMs = Math.max(dueMs + intervalMs, performance.now())
      await pause(Math.max(1, dueMs - performance.now()))
    }
  }

  /** Offers the next readings of the devices until a hub has them, or may have them. */
  async #push(devices: readonly string[], count: number, priority?: 'LOW'): Promise<void> {
    const firsts = devices.map((device) => this.#journal.next(device))
    const body = devices.flatMap((device, index) =>
      Array.from({ length: count }, (_, i) => {
        const number = firsts[index] + i
        return { device_id: device, timestamp: takenAtUsOf(number), [CHANNEL]: number, ...(priority && { priority }) }
      }),
    )
    const text = JSON.stringify(body)
    for (;;) {
      const hub = this.#hubs.running
      const outcome = hub === undefined ? 'not-taken' : await this.#offer(hub, text)
      if (hub !== undefined && outcome !== 'not-taken') {
        for (const [index, device] of devices.entries()) {
          this.#journal.add(device, { first: firsts[index], count, hub: hub.number, outcome })
        }
        return
      }
      if (this.#isStopping) return
      await pause(AGAIN_MS)
    }
  }

  async #offer({ url }: RunningHub, body: string): Promise<OfferOutcome | 'not-taken'> {
    this.#asksToWait = !this.#asksToWait
    const headers = this.#asksToWait ? WAIT_HEADERS : {}
    try {
      const response = await fetch(`${url}/telemetry`, {
        method: 'POST',
        headers,
        body,
        signal: AbortSignal.timeout(REPLY_MS),
      })
      const text = await response.text()
      if (response.status === 200) return 'stored'
      if (response.status === 202) return 'accepted'
      if (response.status !== 503) throw new TypeError(`The hub answered ${response.status}: ${text}`)
      this.refused++
      return 'not-taken'
    } catch (error) {
      const { code } = ((error as Error).cause ?? {}) as { code?: string }
      if (code === 'ECONNREFUSED') return 'not-taken'
      if (error instanceof TypeError && error.cause === undefined) throw error
      return 'uncertain'
    }
  }
}
