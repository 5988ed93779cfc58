import { PRESSURE_LEVELS, type PressureLevel } from '../../policy/pressure.js'
import type { PressureSignal } from '../pressure-signal.js'
import type { CommandRouter } from './command-router.js'
import { queueKeys } from './keyspace.js'

/** The level as a string with an expiry; whoever wrote last is right: all processors look at the same backlog. */
export class RedisPressure implements PressureSignal {
  readonly #commands: CommandRouter
  readonly #key: string

  constructor(commands: CommandRouter, queueName: string) {
    this.#commands = commands
    this.#key = queueKeys(queueName).pressure
  }

  async write(level: PressureLevel, forMs: number): Promise<void> {
    await this.#commands.call(this.#key, (client) => client.set(this.#key, level, 'PX', Math.ceil(forMs)))
  }

  async read(): Promise<PressureLevel | undefined> {
    const word = await this.#commands.call(this.#key, (client) => client.get(this.#key))
    return PRESSURE_LEVELS.find((level) => level === word)
  }

  async close(): Promise<void> {
    this.#commands.close()
  }
}
