import { PRESSURE_LEVELS, type PressureLevel } from '../../policy/pressure.js'
import type { PressureSignal } from '../pressure-signal.js'
import { queueKeys } from './keyspace.js'
import type { RedisLink } from './redis-link.js'

/** The level as a string with an expiry; whoever wrote last is right: all processors look at the same backlog. */
export class RedisPressure implements PressureSignal {
  readonly #link: RedisLink
  readonly #key: string

  constructor(link: RedisLink, queueName: string) {
    this.#link = link
    this.#key = queueKeys(queueName).pressure
  }

  async write(level: PressureLevel, forMs: number): Promise<void> {
    await this.#link.call((client) => client.set(this.#key, level, 'PX', Math.ceil(forMs)))
  }

  async read(): Promise<PressureLevel | undefined> {
    const word = await this.#link.call((client) => client.get(this.#key))
    return PRESSURE_LEVELS.find((level) => level === word)
  }

  async close(): Promise<void> {
    this.#link.close()
  }
}
