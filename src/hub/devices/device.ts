import { fromPortableError, type PortableError, TelemetryError, toPortableError } from '#core/errors/telemetry-error'
import type { Service } from '#core/lifecycle/service'
import { backoffWaitMs } from '#core/policy/backoff'
import type { Clock } from '#core/time/clock'
import { pause } from '#core/time/pause'
import type { Driver } from '../drivers/driver.js'
import type { DevicePolicy } from './device-policy.js'
import { type DeviceEvent, type DeviceState, nextState } from './device-state.js'
import type { ReadingFigures } from './reading-figures.js'

export interface DeviceTransition {
  readonly device: string
  readonly from: DeviceState
  readonly to: DeviceState
  readonly event: DeviceEvent
  /** In words, for the log and the dashboard. */
  readonly reason: string
  readonly atUs: number
}

export interface DeviceOptions {
  name: string
  driver: Driver
  clock: Clock
  policy: DevicePolicy
  /** What became of its readings; absent: its driver keeps none. */
  figures?: ReadingFigures | undefined
  /** Hears every transition, also `Error` to `Error`; must not throw. */
  onTransition?: (transition: DeviceTransition) => void
  /** In [0, 1); default `Math.random`. */
  random?: () => number
  /** Waits before a new try; default the timer. */
  wait?: (ms: number, signal: AbortSignal) => Promise<void>
}

/** What a device says of itself. */
export interface DeviceSnapshot {
  readonly name: string
  readonly state: DeviceState
  /** Why it is in that state. */
  readonly reason: string
  readonly sinceUs: number
  readonly consecutiveFailures: number
  /** Times the bus was lost or could not be taken since the device was made. */
  readonly failures: number
  /** Times the bus was taken again after a loss. */
  readonly recoveries: number
  /** Wall time of the next try, in `Error` only. */
  readonly nextTryAtUs: number | undefined
  readonly lastError: PortableError | undefined
}

/** What `start` grants a run that is just closing its bus. */
const LEFTOVER_MS = 1000

/**
 * A driver under supervision: lost buses are taken again under backoff, faults that tries cannot mend are latched.
 *
 * `start`, `stop` and `reset` may come at any time, from anyone, in any order; the driver sees one call at a time.
 * Thread: the hub's main thread.
 */
export class Device implements Service {
  readonly #options: DeviceOptions
  #state: DeviceState = 'Idle'
  #reason = 'not started'
  #sinceUs: number
  #failuresInARow = 0
  /** As many pauses have grown; from the begin again when the bus comes back. */
  #pausesInARow = 0
  #failures = 0
  #recoveries = 0
  #nextTryAtUs: number | undefined
  #lastError: PortableError | undefined
  #abort = new AbortController()
  #supervision: Promise<void> | undefined
  #firstTry: Promise<void> = Promise.resolve()
  #ending: Promise<void> | undefined

  constructor(options: DeviceOptions) {
    this.#options = options
    this.#sinceUs = options.clock.nowUs()
  }

  get figures(): ReadingFigures | undefined {
    return this.#options.figures
  }

  get state(): DeviceState {
    return this.#state
  }

  /**
   * Begins to measure; resolves when the first try to take the bus has succeeded or failed: a failed one is tried
   * again later, and is no error of `start`. Ignored unless `Idle`: a latched device must be reset first.
   *
   * @throws TLM_BUS_UNAVAILABLE when the driver has still not ended what an earlier `stop` had to leave
   */
  async start(): Promise<void> {
    await this.#ending
    if (this.#state !== 'Idle') return this.#firstTry
    if (this.#supervision !== undefined && !(await endsWithin(this.#supervision, LEFTOVER_MS))) {
      throw new TelemetryError('TLM_BUS_UNAVAILABLE', `${this.#options.name} has not ended its last run: try later.`)
    }
    // Another caller may have started it while this one waited.
    if (this.#state !== 'Idle') return this.#firstTry
    this.#failuresInARow = 0
    this.#pausesInARow = 0
    this.#lastError = undefined
    this.#move('start', 'started')
    this.#abort = new AbortController()
    const { signal } = this.#abort
    this.#firstTry = new Promise((resolve) => {
      this.#supervision = this.#supervise(signal, resolve).finally(() => {
        this.#supervision = undefined
        resolve()
      })
    })
    return this.#firstTry
  }

  /** Ends measuring, or trying again. A latched device stays latched. The device may be started again. */
  async stop(deadlineMs: number): Promise<void> {
    await this.#end(deadlineMs, 'stop', 'stopped')
  }

  /**
   * Clears a fault: `Error` and `SafeState` become `Idle`.
   *
   * @returns whether there was one to clear; `false` from `Idle` and `Measuring`, which stay
   */
  async reset(deadlineMs = 5000): Promise<boolean> {
    if (nextState(this.#state, 'reset') === undefined) return false
    await this.#end(deadlineMs, 'reset', 'reset')
    this.#failuresInARow = 0
    this.#lastError = undefined
    return true
  }

  snapshot(): DeviceSnapshot {
    return {
      name: this.#options.name,
      state: this.#state,
      reason: this.#reason,
      sinceUs: this.#sinceUs,
      consecutiveFailures: this.#failuresInARow,
      failures: this.#failures,
      recoveries: this.#recoveries,
      nextTryAtUs: this.#nextTryAtUs,
      lastError: this.#lastError,
    }
  }

  /** Callers that come while one is at it share its end: a second one must not end what a later `start` began. */
  #end(deadlineMs: number, event: 'stop' | 'reset', reason: string): Promise<void> {
    this.#ending ??= this.#endOnce(deadlineMs, event, reason).finally(() => {
      this.#ending = undefined
    })
    return this.#ending
  }

  async #endOnce(deadlineMs: number, event: 'stop' | 'reset', reason: string): Promise<void> {
    this.#abort.abort()
    const hasEnded = this.#supervision === undefined || (await endsWithin(this.#supervision, deadlineMs))
    this.#move(event, hasEnded ? reason : `${reason}, but the driver had not ended after ${deadlineMs} ms`)
  }

  /** Never rejects: whatever the driver throws becomes a state. */
  async #supervise(signal: AbortSignal, onFirstTry: () => void): Promise<void> {
    while (!signal.aborted) {
      const failure = await this.#tryOnce(signal, onFirstTry)
      if (signal.aborted) return
      if (failure === undefined) {
        this.#move('ended', 'the source has no more to give')
        return
      }
      this.#lastError = toPortableError(failure)
      this.#failures++
      this.#failuresInARow++
      if (this.#mustLatch()) {
        this.#move('latched', this.#lastError.message)
        return
      }
      await this.#waitForNextTry(signal, onFirstTry)
    }
  }

  /** Opens, runs, closes. @returns what the driver threw, or `undefined` when it stopped or its source ended */
  async #tryOnce(signal: AbortSignal, onFirstTry: () => void): Promise<unknown> {
    const { driver, clock, policy } = this.#options
    let openedAtMs: number | undefined
    let failure: unknown
    try {
      await driver.open(signal)
      openedAtMs = clock.monotonicMs()
      if (signal.aborted) return undefined
      if (this.#state === 'Error') this.#recover()
      onFirstTry()
      await driver.run(signal)
    } catch (error) {
      failure = error ?? new Error('The driver threw nothing.')
      if (openedAtMs !== undefined && clock.monotonicMs() - openedAtMs >= policy.healthyAfterMs) {
        this.#failuresInARow = 0
        this.#pausesInARow = 0
      }
    } finally {
      // A bus that is lost often fails to close too, which tells nothing new.
      await driver.close().catch(() => {})
    }
    return failure
  }

  #recover(): void {
    this.#recoveries++
    this.#nextTryAtUs = undefined
    this.#move('recovered', `the bus is back after ${this.#failuresInARow} failures`)
  }

  /** Faults that waiting cannot mend, that the driver calls latched, or that came too often in a row. */
  #mustLatch(): boolean {
    const error = fromPortableError(this.#lastError!)
    const { maxConsecutiveFailures = Number.POSITIVE_INFINITY } = this.#options.policy
    return (
      error.entry.retry !== 'after-backoff' ||
      error.details.latched === true ||
      this.#failuresInARow >= maxConsecutiveFailures
    )
  }

  async #waitForNextTry(signal: AbortSignal, onFirstTry: () => void): Promise<void> {
    const { policy, clock, random = Math.random } = this.#options
    const backoff = { baseMs: policy.retryBaseMs, maxMs: policy.retryMaxMs }
    this.#pausesInARow++
    const waitMs = backoffWaitMs(backoff, this.#pausesInARow, random())
    this.#nextTryAtUs = clock.nowUs() + waitMs * 1000
    this.#move('failed', this.#lastError!.message)
    onFirstTry()
    await this.#waitOrReturn(waitMs, signal)
  }

  /** The pause ends early when the bus, which was away, is there again. */
  async #waitOrReturn(waitMs: number, signal: AbortSignal): Promise<void> {
    const { driver, wait = pause } = this.#options
    // Not AbortSignal.any: on a signal that lives as long as the device it would leave something behind each time.
    const ended = new AbortController()
    const end = () => ended.abort()
    signal.addEventListener('abort', end, { once: true })
    if (signal.aborted) end()
    const back = driver.whenBack?.(ended.signal).then(() => {
      if (ended.signal.aborted) return
      // What failed while the cable was out says nothing of the device that is there now.
      this.#pausesInARow = 0
      end()
    })
    await wait(waitMs, ended.signal)
    end()
    signal.removeEventListener('abort', end)
    await back
  }

  #move(event: DeviceEvent, reason: string): void {
    const from = this.#state
    const to = nextState(from, event)
    if (to === undefined) return
    const { name, clock, onTransition } = this.#options
    const atUs = clock.nowUs()
    this.#state = to
    this.#reason = reason
    if (from !== to) this.#sinceUs = atUs
    if (to !== 'Error') this.#nextTryAtUs = undefined
    onTransition?.({ device: name, from, to, event, reason, atUs })
  }
}

/** Whether `work`, which never rejects, ends within the time. */
async function endsWithin(work: Promise<void>, ms: number): Promise<boolean> {
  const deadline = new AbortController()
  const ended = work.then(() => true)
  try {
    return await Promise.race([ended, pause(ms, deadline.signal).then(() => false)])
  } finally {
    deadline.abort()
  }
}
