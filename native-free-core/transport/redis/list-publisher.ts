import type { CommandRouter } from './command-router.js'
import { openRouter } from './open-router.js'
import { toTelemetryError, type WriteFailure, writeFailure } from './redis-errors.js'
import { readRedisOptions } from './redis-options.js'
import { checkServer } from './store-check.js'

/** Elements of one RPUSH. */
const TASKS_PER_COMMAND = 500

export interface PushResult {
  /** The first so many tasks are certainly in the list. */
  pushed: number
  /** Why the others are not; after `unavailable` some of them may be, all the same. */
  failure?: WriteFailure
}

/** Pushes tasks to the end of the plain list that the original's consumers pop from. */
export interface ListPublisher {
  /**
   * Never throws for a store that fails. A list has no memory of what was pushed before: after `unavailable` a caller
   * that sends the rest again delivers **at least once**.
   */
  push(tasks: readonly (Uint8Array | string)[]): Promise<PushResult>
  close(): Promise<void>
}

/**
 * @param options `RedisOptions`; the list's key is the queue name itself
 * @throws TLM_STREAM_UNAVAILABLE while Redis cannot be reached: try again
 * @throws TLM_STREAM_MISCONFIGURED for wrong credentials, a server that may evict or is too old
 * @throws TLM_OPTIONS_INVALID
 */
export async function openListPublisher(options: unknown): Promise<ListPublisher> {
  const redis = readRedisOptions(options)
  const list = redis.queueName
  const router = await openRouter(redis, 'list', list, (client, { where }) => checkServer(client, where))
  return new RedisListPublisher(router, list)
}

class RedisListPublisher implements ListPublisher {
  readonly #link: CommandRouter
  readonly #list: string
  /** Pushes go one after the other: a later one must not pass one that was refused. */
  #latest: Promise<unknown> = Promise.resolve()

  constructor(link: CommandRouter, list: string) {
    this.#link = link
    this.#list = list
  }

  push(tasks: readonly (Uint8Array | string)[]): Promise<PushResult> {
    const pushed = this.#latest.then(() => this.#push(tasks))
    this.#latest = pushed
    return pushed
  }

  async close(): Promise<void> {
    await this.#latest
    this.#link.close()
  }

  async #push(tasks: readonly (Uint8Array | string)[]): Promise<PushResult> {
    for (let next = 0; next < tasks.length; next += TASKS_PER_COMMAND) {
      const values = tasks.slice(next, next + TASKS_PER_COMMAND).map(asArgument)
      try {
        await this.#link.call(this.#list, (client) => client.rpush(this.#list, ...values))
      } catch (error) {
        return { pushed: next, failure: writeFailure(toTelemetryError(error, this.#link.where)) }
      }
    }
    return { pushed: tasks.length }
  }
}

function asArgument(task: Uint8Array | string): Buffer | string {
  return typeof task === 'string' ? task : Buffer.from(task.buffer, task.byteOffset, task.byteLength)
}
