import type { Clock } from '#core/time/clock'
import { Repeated } from '#core/time/repeated'
import type { StreamLocator } from '#core/transport/batch-stream'
import type { DeadLetterBox, DeadLetterModule, DeadLetterTotals } from '#core/transport/dead-letters'
import type { RateLimitedLog } from '../../host/rate-limited-log.js'
import { ReplayJobs } from './replay-jobs.js'

/** How often letters that are too old are looked for, and the totals are read. */
const LOOK_EVERY_MS = 5000

/** @throws TLM_STREAM_UNAVAILABLE, TLM_STREAM_MISCONFIGURED, TLM_OPTIONS_INVALID */
export async function openDeadLetterBox({ moduleUrl, options }: StreamLocator): Promise<DeadLetterBox> {
  const module = (await import(moduleUrl)) as DeadLetterModule
  return module.openDeadLetterBox(options)
}

/** The processor's dead letters: the box, opened when the store answers, the replays, and a look at the bounds. */
export class DeadLetterWorkbench {
  readonly jobs: ReplayJobs
  readonly #locator: StreamLocator
  readonly #warnings: RateLimitedLog
  readonly #looks = new Repeated(() => this.#look(), LOOK_EVERY_MS)
  #opening: Promise<DeadLetterBox> | undefined
  #totals: DeadLetterTotals | undefined

  constructor(locator: StreamLocator, maxGeneration: number, clock: Clock, warnings: RateLimitedLog) {
    this.jobs = new ReplayJobs(clock, maxGeneration)
    this.#locator = locator
    this.#warnings = warnings
  }

  /** As of the last look; `undefined` before the first. */
  get totals(): DeadLetterTotals | undefined {
    return this.#totals
  }

  /** @throws TLM_STREAM_UNAVAILABLE, TLM_STREAM_MISCONFIGURED */
  box(): Promise<DeadLetterBox> {
    this.#opening ??= openDeadLetterBox(this.#locator)
    const opening = this.#opening
    opening.catch(() => {
      if (this.#opening === opening) this.#opening = undefined
    })
    return opening
  }

  start(): void {
    void this.#looks.start()
  }

  async close(): Promise<void> {
    void this.#looks.stop()
    await this.jobs.stop()
    await this.#opening?.then((box) => box.close()).catch(() => {})
  }

  async #look(): Promise<void> {
    try {
      const box = await this.box()
      await box.trim()
      this.#totals = await box.totals()
    } catch (error) {
      this.#warnings.warn('dead-letters', { err: error }, 'the dead letters could not be looked at')
    }
  }
}
