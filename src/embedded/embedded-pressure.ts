import { join } from 'node:path'
import { PRESSURE_LEVELS, type PressureLevel } from '#core/policy/pressure'
import type { PressureSignal } from '#core/transport/pressure-signal'
import { readJson, writeJson } from './json-file.js'
import { openLeaseClock } from './lease-clock.js'
import type { StoreDirectory } from './store-directory.js'
import { storeError } from './store-failure.js'

interface Saying {
  level: string
  session: string
  untilMs: number
}

/** The level in a small file that is replaced as a whole. */
export class EmbeddedPressure implements PressureSignal {
  readonly #store: StoreDirectory
  readonly #path: string
  readonly #clock = openLeaseClock()

  constructor(store: StoreDirectory) {
    this.#store = store
    this.#path = join(store.root, 'pressure')
  }

  async write(level: PressureLevel, forMs: number): Promise<void> {
    const { session } = this.#clock
    const saying: Saying = { level, session, untilMs: this.#clock.nowMs() + forMs }
    try {
      writeJson(this.#path, saying)
    } catch (error) {
      throw storeError(error, this.#store.directory)
    }
  }

  async read(): Promise<PressureLevel | undefined> {
    let saying: Partial<Saying>
    try {
      // A damaged file says nothing.
      saying = (readJson(this.#path) as Partial<Saying> | null | undefined) ?? {}
    } catch (error) {
      throw storeError(error, this.#store.directory)
    }
    const { level, session, untilMs } = saying
    const isValid = session === this.#clock.session && untilMs !== undefined && untilMs > this.#clock.nowMs()
    return isValid ? PRESSURE_LEVELS.find((known) => known === level) : undefined
  }

  async close(): Promise<void> {}
}
