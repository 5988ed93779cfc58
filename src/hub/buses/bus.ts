import { messageOf } from '#core/errors/telemetry-error'
import type { Observation } from '../devices/observation.js'
import { faultOf, readFault } from '../drivers/contract/fault.js'
import type { BusLink } from './bus-link.js'
import { BusMeter, ResultCounts } from './bus-meter.js'
import { type BusConfig, type BusSettings, placeOf, type SerialBusSettings } from './bus-settings.js'
import type { BusTime } from './bus-time.js'
import { BusTurns, BusUser } from './bus-turns.js'
import { type OpenLink, openFailure } from './open-link.js'
import { PathWatch } from './path-watch.js'
import { findSerialPort } from './serial-match.js'

export interface BusOptions {
  readonly config: BusConfig
  readonly time: BusTime
  readonly open: OpenLink
  readonly observation: Observation
}

/** One call of a device, and how it is shown to observers. */
export interface BusCall<Link extends BusLink, T> {
  readonly call: string
  readonly sent: readonly Uint8Array[]
  run(link: Link): Promise<T>
  received(result: T): readonly Uint8Array[]
}

/** A device's hold on a bus: from {@link Bus.join} on it may open it, call, and let it go. */
export interface BusSeat {
  readonly bus: Bus
  readonly user: BusUser
}

/**
 * One bus and all devices on it: opened by the first that needs it, closed by the last that goes, opened anew when it
 * was lost. Thread: the hub's main thread.
 */
export class Bus {
  readonly counts = new ResultCounts()
  readonly #options: BusOptions
  readonly #turns: BusTurns
  readonly #meter: BusMeter
  readonly #open = new Set<BusUser>()
  readonly #watch: PathWatch | undefined
  #link: BusLink | undefined
  #opening: Promise<BusLink> | undefined
  #recoveries = 0
  #lostBy: string | undefined

  constructor(options: BusOptions) {
    this.#options = options
    this.#turns = new BusTurns(options.time, this.name)
    this.#meter = new BusMeter(options.time.monotonicMs())
    const { settings } = options.config
    if (settings.kind === 'serial') this.#watch = new PathWatch(() => serialPath(settings))
  }

  get name(): string {
    return this.#options.config.name
  }

  get settings(): BusSettings {
    return this.#options.config.settings
  }

  get place(): string {
    return placeOf(this.settings)
  }

  /** Whether calls can be made now. */
  get isOpen(): boolean {
    return this.#link !== undefined
  }

  /** The open bus. @throws TLM_READ_FAILED it is not open */
  get link(): BusLink {
    if (this.#link === undefined) {
      throw readFault('io', this.#lostBy ?? `Bus ${this.name} (${this.place}) is not open.`)
    }
    return this.#link
  }

  get busySeconds(): number {
    return this.#meter.totalMs / 1000
  }

  get utilization(): number {
    return this.#meter.ratio(this.#options.time.monotonicMs())
  }

  /** Times it was closed and opened to bring a device back. */
  get recoveries(): number {
    return this.#recoveries
  }

  /** The devices on it. */
  get users(): ReadonlySet<BusUser> {
    return this.#turns.users
  }

  join(device: string, timeoutMs: number): BusSeat {
    const user = new BusUser(device, timeoutMs)
    this.#turns.add(user)
    return { bus: this, user }
  }

  /** Takes the bus, opened now unless it is open. @throws TLM_BUS_UNAVAILABLE, TLM_PACKAGE_MISSING */
  async open(user: BusUser): Promise<void> {
    user.resume()
    this.#open.add(user)
    if (this.#link !== undefined) return
    this.#opening ??= this.#openNow(user.timeoutMs).finally(() => {
      this.#opening = undefined
    })
    try {
      const link = await this.#opening
      // Let go by everybody meanwhile.
      if (this.#open.size === 0) await link.close()
      else this.#link = link
    } catch (error) {
      throw openFailure(error)
    }
  }

  async #openNow(timeoutMs: number): Promise<BusLink> {
    await this.#watch?.note()
    return this.#options.open(this.settings, timeoutMs)
  }

  /** Lets go of it. */
  async close(user: BusUser): Promise<void> {
    this.#turns.cancel(user)
    this.#open.delete(user)
    if (this.#open.size === 0) await this.#drop()
  }

  /** The device is being stopped: it waits for no turn, and gets none until it opens the bus again. */
  cancel(user: BusUser): void {
    user.isStopped = true
    this.#turns.cancel(user)
  }

  /** While it is lost: resolves when there is a device node that no try has seen, or on abort; see {@link PathWatch}. */
  whenBack(signal: AbortSignal): Promise<void> {
    return this.#watch?.whenNew(signal) ?? aborted(signal)
  }

  /** Time on the bus that no call accounts for: of devices that talk by themselves. */
  addBusy(user: BusUser, ms: number): void {
    user.busyMs += ms
    this.#meter.add(ms, this.#options.time.monotonicMs())
  }

  /** One call when it is the device's turn. @throws TLM_READ_FAILED */
  async call<Link extends BusLink, T>(user: BusUser, call: BusCall<Link, T>): Promise<T> {
    await this.#turns.take(user)
    const { time } = this.#options
    const startedMs = time.monotonicMs()
    const startedAtUs = this.#options.observation.isWatched ? time.nowUs() : 0
    let isGiven = false
    const give = (isWell: boolean) => {
      if (isGiven) return
      isGiven = true
      const tookMs = time.monotonicMs() - startedMs
      this.#meter.add(tookMs, time.monotonicMs())
      this.#turns.give(user, tookMs, isWell)
    }
    const tell = (error: unknown, result?: T) => {
      this.counts.add(error === undefined ? 'ok' : faultOf(error))
      if (!this.#options.observation.isWatched) return
      this.#options.observation.transaction({
        bus: this.name,
        device: user.name,
        call: call.call,
        startedAtUs,
        tookMs: time.monotonicMs() - startedMs,
        sent: call.sent,
        received: error === undefined ? call.received(result as T) : [],
        ...(error === undefined ? {} : { fault: { fault: faultOf(error), message: messageOf(error) } }),
      })
    }
    let link: Link | undefined
    try {
      link = this.link as Link
      const work = call.run(link)
      const result = link.endsInTime ? await work : await this.#inTime(work, user, give)
      give(true)
      tell(undefined, result)
      return result
    } catch (error) {
      if (link?.isLost) this.#lose(link, messageOf(error))
      if (!isOverdue(error)) give(false)
      tell(error)
      throw error
    }
  }

  /**
   * Closes the bus and opens it again, which brings back adapters and ports that hang. Not while another device has
   * been well since `user` last was: then it is not the bus.
   *
   * @returns whether it was done
   * @throws TLM_BUS_UNAVAILABLE it does not open again
   */
  async recover(user: BusUser): Promise<boolean> {
    if (this.othersAreWell(user) || this.#turns.holder !== undefined) return false
    await this.#drop()
    this.#recoveries++
    await this.open(user)
    return true
  }

  /** Whether another device got an answer since this one last did. */
  othersAreWell(user: BusUser): boolean {
    const sinceMs = user.lastSuccessMs ?? Number.NEGATIVE_INFINITY
    for (const other of this.#turns.users) {
      if (other !== user && other.lastSuccessMs !== undefined && other.lastSuccessMs > sinceMs) return true
    }
    return false
  }

  /** The result, or `timeout`; then the bus stays taken until the call that nobody can end has ended. */
  #inTime<T>(work: Promise<T>, user: BusUser, give: (isWell: boolean) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      let isLate = false
      const cancel = this.#options.time.after(user.timeoutMs, () => {
        isLate = true
        this.#turns.markStuck()
        const text = `${this.place} gave no result within ${user.timeoutMs} ms: check the clock line and the kernel log.`
        reject(Object.assign(readFault('timeout', text), { [OVERDUE]: true }))
      })
      const end = (settle: () => void) => {
        cancel()
        if (isLate) give(false)
        else settle()
      }
      work.then(
        (result) => end(() => resolve(result)),
        (error) => end(() => reject(error)),
      )
    })
  }

  #lose(link: BusLink, why: string): void {
    if (this.#link !== link) return
    this.#lostBy = why
    this.#drop().catch(() => {})
  }

  async #drop(): Promise<void> {
    const link = this.#link
    this.#link = undefined
    await link?.close().catch(() => {})
  }
}

function serialPath({ at }: SerialBusSettings): Promise<string | undefined> {
  return 'path' in at ? Promise.resolve(at.path) : findSerialPort(at.match).catch(() => undefined)
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}

const OVERDUE = Symbol('overdue')

function isOverdue(error: unknown): boolean {
  return typeof error === 'object' && error !== null && OVERDUE in error
}
