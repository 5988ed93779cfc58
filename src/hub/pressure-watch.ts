import { messageOf } from '#core/errors/telemetry-error'
import type { StreamLocator } from '#core/transport/batch-stream'
import type { PressureModule, PressureSignal } from '#core/transport/pressure-signal'
import type { Logger } from '../host/logger.js'
import type { SheddingLadder } from './intake/shedding-ladder.js'

const INTERVAL_MS = 1000

/** Reads every second what the processors say of their backlog, and sets the ladder by it. */
export class PressureWatch {
  readonly #locator: StreamLocator
  readonly #ladder: SheddingLadder
  readonly #log: Logger
  #signal: PressureSignal | undefined
  #timer: NodeJS.Timeout | undefined
  #looking: Promise<void> = Promise.resolve()
  #isStopped = false

  constructor(locator: StreamLocator, ladder: SheddingLadder, log: Logger) {
    this.#locator = locator
    this.#ladder = ladder
    this.#log = log
  }

  start(): void {
    this.#looking = this.#look()
    void this.#looking.then(() => {
      if (!this.#isStopped) this.#timer = setTimeout(() => this.start(), INTERVAL_MS)
    })
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    clearTimeout(this.#timer)
    await this.#looking
    await this.#signal?.close()
  }

  /** A store that is away says nothing: then its own refusals hold the hub back, and no shedding is asked for. */
  async #look(): Promise<void> {
    try {
      this.#signal ??= await this.#open()
      this.#set((await this.#signal.read()) ?? 'green')
    } catch (error) {
      this.#log.debug({ err: error }, messageOf(error))
      this.#set('green')
    }
  }

  async #open(): Promise<PressureSignal> {
    const { moduleUrl, options } = this.#locator
    return ((await import(moduleUrl)) as PressureModule).openPressureSignal(options)
  }

  #set(level: Parameters<SheddingLadder['setLevel']>[0]): void {
    if (!this.#ladder.setLevel(level)) return
    if (level === 'green') this.#log.info({ level }, 'the processors keep up again')
    else this.#log.warn({ level }, 'the processors are behind')
  }
}
