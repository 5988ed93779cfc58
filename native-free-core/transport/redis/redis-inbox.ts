import { randomUUID } from 'node:crypto'
import type { OwnedInbox, TaskInbox } from '../task-inbox.js'
import { type InboxKeys, inboxKeys } from './keyspace.js'
import { RedisLink } from './redis-link.js'
import type { RedisOptions } from './redis-options.js'
import { RedisOwnedInbox } from './redis-owned-inbox.js'
import { INBOX_OWN } from './scripts/inbox-own-v1-k1.js'
import type { ServerWatch } from './server-watch.js'
import { MAX_BLOCK_MS } from './shard-reader.js'

/** The list that anybody pushes tasks to: one connection for commands, one for the owner's blocking reads. */
export class RedisInbox implements TaskInbox {
  readonly #commands: RedisLink
  readonly #options: RedisOptions
  readonly #holder: string
  readonly #keys: InboxKeys
  readonly #owned = new Set<RedisOwnedInbox>()
  /** Name of an attempt to own it that was not answered: trying again with it finds what it has got. */
  #claim: string | undefined

  constructor(commands: RedisLink, watch: ServerWatch, options: RedisOptions, holder: string) {
    this.#commands = commands
    this.#options = options
    this.#holder = holder
    this.#keys = inboxKeys(options.queueName)
    watch.onNewRun = () => {
      for (const owned of this.#owned) owned.surrender()
    }
  }

  async own(leaseMs: number): Promise<OwnedInbox | undefined> {
    const leaseWholeMs = Math.ceil(leaseMs)
    this.#claim ??= randomUUID()
    const args = [this.#holder, this.#claim, leaseWholeMs]
    const token = (await this.#commands.run(INBOX_OWN, [this.#keys.owner], args)) as number
    this.#claim = undefined
    if (token === 0) return undefined
    const reads = new RedisLink(this.#options, 'inbox-reads', MAX_BLOCK_MS + this.#options.commandTimeoutMs)
    const links = { commands: this.#commands, reads }
    const owned = new RedisOwnedInbox(links, this.#keys, token, leaseWholeMs, () => this.#owned.delete(owned))
    this.#owned.add(owned)
    return owned
  }

  async backlog(): Promise<number> {
    const { list, arrived, taken } = this.#keys
    const counts = await this.#commands.call((client) =>
      Promise.all([client.llen(list), client.llen(arrived), client.xlen(taken)]),
    )
    return counts.reduce((sum, count) => sum + count)
  }

  /** An owned inbox is not released: its lease runs out. */
  async close(): Promise<void> {
    for (const owned of this.#owned) owned.abandon()
    this.#commands.close()
  }
}
