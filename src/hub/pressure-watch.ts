import { messageOf } from '#core/errors/telemetry-error'
import type { PressureLevel } from '#core/policy/pressure'
import { Repeated } from '#core/time/repeated'
import type { StreamLocator } from '#core/transport/batch-stream'
import type { PressureModule, PressureSignal } from '#core/transport/pressure-signal'
import type { Logger } from '../host/logger.js'
import type { SheddingLadder } from './intake/shedding-ladder.js'

const INTERVAL_MS = 1000

/** Reads every second what the processors say of their backlog, and sets the ladder by it. */
export class PressureWatch {
  readonly #locator: StreamLocator
  readonly #ladder: SheddingLadder
  readonly #onLook: (level: PressureLevel) => void
  readonly #log: Logger
  readonly #looks = new Repeated(() => this.#look(), INTERVAL_MS)
  #signal: PressureSignal | undefined

  /** @param onLook hears the level every second, whether or not it is another one */
  constructor(locator: StreamLocator, ladder: SheddingLadder, onLook: (level: PressureLevel) => void, log: Logger) {
    this.#locator = locator
    this.#ladder = ladder
    this.#onLook = onLook
    this.#log = log
  }

  start(): void {
    void this.#looks.start()
  }

  async stop(): Promise<void> {
    await this.#looks.stop()
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

  #set(level: PressureLevel): void {
    const isChanged = this.#ladder.setLevel(level)
    this.#onLook(level)
    if (!isChanged) return
    if (level === 'green') this.#log.info({ level }, 'the processors keep up again')
    else this.#log.warn({ level }, 'the processors are behind')
  }
}
