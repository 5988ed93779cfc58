import type { Redis } from 'ioredis'
import { TelemetryError } from '../../errors/telemetry-error.js'
import { pause } from '../../time/pause.js'
import {
  CLOSED,
  describeTarget,
  type NewClient,
  newConnection,
  newIoredisClient,
  type RedisTarget,
} from './redis-connection.js'
import { isMoved, needsNewConnection, toTelemetryError, wasNotSent } from './redis-errors.js'
import type { RedisOptions } from './redis-options.js'
import { type RedisScript, runScript, type ScriptArgument } from './redis-script.js'

/** After a failed connection the next one is tried no sooner. */
const RECONNECT_PAUSE_MS = 50

/** Where a link connects to. */
export interface RedisRoute {
  /** A redirection ends the connection of a link that follows a key; that of a node serves its other slots. */
  readonly kind: 'single' | 'cluster-node' | 'cluster-key'
  /** Asked before every connection. */
  target(): RedisTarget | Promise<RedisTarget>
  /** What is there does not serve. */
  onFailure(): void
}

/**
 * Looks at every new connection before anything else is sent; a rejection refuses the connection.
 *
 * @returns which run of which server it is, if the user may ask; see `ServerWatch`
 */
export type Prepare = (client: Redis, where: string) => Promise<string | undefined>

/** Sends commands; what they throw is TLM_STREAM_UNAVAILABLE or TLM_STREAM_MISCONFIGURED. */
export interface CommandLink {
  run(script: RedisScript, keys: readonly string[], args: readonly ScriptArgument[]): Promise<unknown>
  call<T>(send: (client: Redis) => Promise<T>): Promise<T>
}

/**
 * One connection to Redis that is replaced as a whole when it breaks.
 *
 * ioredis is used for one connection at a time and never reconnects by itself: its reconnection resends commands of
 * which nobody knows whether they were applied, or leaves their promises open for ever. Here a broken connection rejects
 * all its commands at once, and the next caller opens another. A server that answers nothing for `replyTimeoutMs` while
 * commands wait (a half-open socket) counts as broken: progress counts, not the duration of one command.
 */
export class RedisLink implements CommandLink {
  readonly #options: RedisOptions
  readonly #route: RedisRoute
  readonly #name: string
  readonly #replyTimeoutMs: number
  readonly #prepare: Prepare
  readonly #newClient: NewClient
  #where = 'Redis'
  #client: Promise<Redis> | undefined
  #live: Redis | undefined
  /** What first went wrong with a connection. */
  readonly #causes = new WeakMap<Redis, unknown>()
  readonly #runs = new WeakMap<Redis, string>()
  #notBeforeMs = 0
  #isClosed = false

  /**
   * @param name shown by `CLIENT LIST`
   * @param replyTimeoutMs how long the server may answer nothing while commands wait
   */
  constructor(
    options: RedisOptions,
    route: RedisRoute,
    name: string,
    replyTimeoutMs: number,
    prepare: Prepare = async () => undefined,
    newClient: NewClient = newIoredisClient,
  ) {
    this.#options = options
    this.#route = route
    this.#name = name
    this.#replyTimeoutMs = replyTimeoutMs
    this.#prepare = prepare
    this.#newClient = newClient
  }

  /** The server of the latest connection, for messages. */
  get where(): string {
    return this.#where
  }

  /**
   * The live connection, made if there is none. Callers that ask at the same time get it in the order of their calls.
   *
   * @throws TLM_STREAM_UNAVAILABLE TLM_STREAM_MISCONFIGURED
   */
  client(): Promise<Redis> {
    if (this.#isClosed) return Promise.reject(this.#closedError())
    if (this.#client === undefined) {
      const opening = this.#open()
      this.#client = opening
      opening.catch(() => {
        this.#notBeforeMs = performance.now() + RECONNECT_PAUSE_MS
        this.#forget(opening)
      })
    }
    return this.#client
  }

  /** Which run of the server a connection has reached, as `prepare` has said. */
  runOf(client: Redis): string | undefined {
    return this.#runs.get(client)
  }

  /** Runs a script. @throws TLM_STREAM_UNAVAILABLE TLM_STREAM_MISCONFIGURED */
  run(script: RedisScript, keys: readonly string[], args: readonly ScriptArgument[]): Promise<unknown> {
    return this.call((client) => runScript(client, script, keys, args))
  }

  /**
   * Sends commands on the live connection; again on a new one when the old one turns out to be closed before anything
   * was sent (servers close idle connections).
   *
   * @throws TLM_STREAM_UNAVAILABLE TLM_STREAM_MISCONFIGURED
   */
  async call<T>(send: (client: Redis) => Promise<T>): Promise<T> {
    for (let isRetry = false; ; isRetry = true) {
      const client = await this.client()
      try {
        return await send(client)
      } catch (error) {
        const failure = this.failure(client, error)
        if (isRetry || !wasNotSent(error)) throw failure
      }
    }
  }

  /** The error to throw for a command's; gives up a connection on which the next command would fail, too. */
  failure(client: Redis, error: unknown): TelemetryError {
    if (this.#isClosed) return this.#closedError()
    return toTelemetryError(this.#causeOf(client, error), this.#where, this.#route.kind !== 'single')
  }

  /** Breaks the connection, if there is one: its commands reject, and the next caller gets a new one. */
  break(): void {
    const broken = this.#client
    this.#forget(broken)
    broken?.then(
      (client) => client.disconnect(),
      () => {},
    )
  }

  /** Ends the connection for good; commands that wait for a reply reject. */
  close(): void {
    this.#isClosed = true
    this.break()
  }

  async #open(): Promise<Redis> {
    // Waiting, not failing at once: a caller that tries again in a loop must not keep the event loop from turning.
    const pauseMs = this.#notBeforeMs - performance.now()
    if (pauseMs > 0) await pause(pauseMs)
    const target = await this.#route.target()
    if (this.#isClosed) throw this.#closedError()
    this.#where = describeTarget(target)
    const client = newConnection(this.#options, target, this.#name, this.#replyTimeoutMs, this.#newClient)
    client.on('error', (error) => {
      if (!this.#causes.has(client)) this.#causes.set(client, error)
    })
    try {
      await client.connect()
      // ioredis goes on in database 0 when SELECT fails.
      if (this.#causes.has(client)) throw this.#causes.get(client)
      const run = await this.#prepare(client, this.#where)
      if (run !== undefined) this.#runs.set(client, run)
      if (this.#isClosed) throw this.#closedError()
      if (client.status !== 'ready') throw new Error(CLOSED)
    } catch (error) {
      client.disconnect()
      this.#route.onFailure()
      throw this.failure(client, error)
    }
    const opened = this.#client
    client.once('end', () => this.#forget(opened))
    this.#live = client
    return client
  }

  /** The commands of a broken connection only say that it is closed; the connection knows why. */
  #causeOf(client: Redis, error: unknown): unknown {
    const saysOnlyClosed = wasNotSent(error) || (error instanceof Error && error.message === CLOSED)
    const hasLeft = this.#route.kind === 'cluster-key' && isMoved(error)
    if (saysOnlyClosed || hasLeft || needsNewConnection(error)) {
      this.#route.onFailure()
      if (client === this.#live) this.break()
    }
    return saysOnlyClosed ? (this.#causes.get(client) ?? error) : error
  }

  #forget(client: Promise<Redis> | undefined): void {
    if (this.#client !== client) return
    this.#client = undefined
    this.#live = undefined
  }

  #closedError(): TelemetryError {
    return new TelemetryError('TLM_STREAM_UNAVAILABLE', `${this.#where}: this connection was closed by its owner.`)
  }
}
