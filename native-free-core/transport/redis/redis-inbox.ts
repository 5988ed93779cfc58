import { randomUUID } from 'node:crypto'
import type { OwnedInbox, TaskInbox } from '../task-inbox.js'
import type { CommandRouter } from './command-router.js'
import { DeadLetterList } from './dead-letter-list.js'
import { type InboxKeys, inboxKeys } from './keyspace.js'
import type { RedisOptions } from './redis-options.js'
import { RedisOwnedInbox } from './redis-owned-inbox.js'
import { runScript } from './redis-script.js'
import { INBOX_OWN } from './scripts/inbox-own-v1-k1.js'
import { ServerWatch } from './server-watch.js'
import { MAX_BLOCK_MS } from './shard-reader.js'
import { checkServer } from './store-check.js'

/** The list that anybody pushes tasks to: one connection for commands, one for the owner's blocking reads. */
export class RedisInbox implements TaskInbox {
  readonly #commands: CommandRouter
  readonly #options: RedisOptions
  readonly #holder: string
  readonly #keys: InboxKeys
  readonly #owned = new Set<RedisOwnedInbox>()
  /** Name of an attempt to own it that was not answered: trying again with it finds what it has got. */
  #claim: string | undefined

  constructor(commands: CommandRouter, options: RedisOptions, holder: string) {
    this.#commands = commands
    this.#options = options
    this.#holder = holder
    this.#keys = inboxKeys(options.queueName)
  }

  async own(leaseMs: number): Promise<OwnedInbox | undefined> {
    const leaseWholeMs = Math.ceil(leaseMs)
    this.#claim ??= randomUUID()
    const args = [this.#holder, this.#claim, leaseWholeMs]
    const { owner } = this.#keys
    const { token, run } = await this.#commands.call(owner, async (client, run) => ({
      token: (await runScript(client, INBOX_OWN, [owner], args)) as number,
      run,
    }))
    this.#claim = undefined
    if (token === 0) return undefined
    const watch = new ServerWatch(run, () => owned.surrender())
    const blockedMs = MAX_BLOCK_MS + this.#options.commandTimeoutMs
    const reads = this.#commands.ownLink(owner, 'inbox-reads', blockedMs, async (client, where) => {
      watch.see(await checkServer(client, where))
      return undefined
    })
    const links = { commands: this.#commands.at(owner, watch), reads }
    const letters = new DeadLetterList(this.#commands, this.#keys)
    const owned = new RedisOwnedInbox(links, this.#keys, letters, token, leaseWholeMs, () => this.#owned.delete(owned))
    this.#owned.add(owned)
    return owned
  }

  async backlog(): Promise<number> {
    const { list, arrived, taken } = this.#keys
    const counts = await this.#commands.call(list, (client) =>
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
