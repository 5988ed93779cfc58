import type { Redis } from 'ioredis'
import type { TelemetryError } from '../../errors/telemetry-error.js'
import type { NewClient } from './redis-connection.js'
import { type CommandLink, type Prepare, RedisLink, type RedisRoute } from './redis-link.js'
import { type RedisNode, type RedisTopology, readMoved } from './redis-node.js'
import type { RedisOptions } from './redis-options.js'
import { type RedisScript, runScript, type ScriptArgument } from './redis-script.js'
import type { ServerWatch } from './server-watch.js'

export interface RouterSettings {
  options: RedisOptions
  topology: RedisTopology
  /** Shown by `CLIENT LIST`. */
  name: string
  replyTimeoutMs: number
  newClient: NewClient
  /** Looks at each new connection, see `RedisLink`. */
  prepare(client: Redis, where: string, node: RedisNode): Promise<string | undefined>
}

/**
 * Sends commands to whichever server holds their keys: one connection for each that holds any. A node that says that a
 * slot has moved has done nothing, so the command goes to where it was sent; every other failure is the caller's.
 */
export class CommandRouter {
  readonly #settings: RouterSettings
  readonly #links = new Map<string, RedisLink>()
  #isClosed = false

  constructor(settings: RouterSettings) {
    this.#settings = settings
  }

  get where(): string {
    return this.#settings.topology.where
  }

  get isCluster(): boolean {
    return this.#settings.topology.isCluster
  }

  /** Runs a script where its first key is. @throws TLM_STREAM_UNAVAILABLE TLM_STREAM_MISCONFIGURED */
  run(script: RedisScript, keys: readonly string[], args: readonly ScriptArgument[]): Promise<unknown> {
    return this.call(keys[0], (client) => runScript(client, script, keys, args))
  }

  /** @param key says which server @throws TLM_STREAM_UNAVAILABLE TLM_STREAM_MISCONFIGURED */
  async call<T>(key: string, send: (client: Redis, run: string | undefined) => Promise<T>): Promise<T> {
    for (let isRetry = false; ; isRetry = true) {
      const link = await this.linkTo(key)
      try {
        return await link.call((client) => send(client, link.runOf(client)))
      } catch (error) {
        if (!this.redirected(error) || isRetry) throw error
      }
    }
  }

  /** All commands of one key's server, watched for another run of it taking its place. */
  at(key: string, watch: ServerWatch): CommandLink {
    const call = <T>(send: (client: Redis) => Promise<T>) =>
      this.call(key, (client, run) => {
        watch.see(run)
        return send(client)
      })
    return { call, run: (script, keys, args) => call((client) => runScript(client, script, keys, args)) }
  }

  /** A connection of its own to whichever server holds the key. */
  ownLink(key: string, name: string, replyTimeoutMs: number, prepare: Prepare): RedisLink {
    const { options, topology, newClient } = this.#settings
    const route: RedisRoute = {
      kind: topology.isCluster ? 'cluster-key' : 'single',
      target: async () => (await topology.nodeOf(key)).target,
      onFailure: () => topology.doubt(),
    }
    return new RedisLink(options, route, name, replyTimeoutMs, prepare, newClient)
  }

  /** The connection to the server that holds the key now. @throws TLM_STREAM_UNAVAILABLE */
  async linkTo(key: string): Promise<RedisLink> {
    const { options, topology, name, replyTimeoutMs, prepare, newClient } = this.#settings
    const node = await topology.nodeOf(key)
    let link = this.#links.get(node.name)
    if (link === undefined) {
      const kind = topology.isCluster ? 'cluster-node' : 'single'
      const route: RedisRoute = { kind, target: () => node.target, onFailure: () => topology.doubt() }
      const prepareHere: Prepare = (client, where) => prepare(client, where, node)
      link = new RedisLink(options, route, name, replyTimeoutMs, prepareHere, newClient)
      this.#links.set(node.name, link)
      if (this.#isClosed) link.close()
    }
    return link
  }

  /** Whether an error says that a slot is elsewhere; its next command goes there. */
  redirected(error: unknown): boolean {
    const { moved } = ((error as TelemetryError).details ?? {}) as { moved?: string }
    if (moved === undefined) return false
    const move = readMoved(moved)
    if (move === undefined) this.#settings.topology.doubt()
    else this.#settings.topology.moved(move.slot, move.to)
    return true
  }

  close(): void {
    this.#isClosed = true
    for (const link of this.#links.values()) link.close()
  }
}
