import type { Actor } from '../engine/actor.js'
import type { SimulatedEvent } from '../engine/event-queue.js'
import type { SeededRandom } from '../engine/seeded-random.js'
import type { Timeline } from '../engine/timeline.js'
import type { ModelRedis } from '../store/model-redis.js'
import { scriptOf } from '../store/model-scripts.js'
import { type Argument, ServerError, textOf } from '../store/script-call.js'
import type { FaultPlan, NetworkFault } from './fault-plan.js'

/** What ioredis says. */
const CLOSED = 'Connection is closed.'
const NOT_WRITEABLE = "Stream isn't writeable and enableOfflineQueue options is false"

/** What the clients of a world share. */
export interface Network {
  readonly scheduler: Timeline
  readonly random: SeededRandom
  readonly server: ModelRedis
  readonly faults: FaultPlan
  /** Usual time of one way, at most. */
  readonly latencyMs: number
}

interface Pending {
  readonly sentAtMs: number
  resolve(value: unknown): void
  reject(error: Error): void
}

interface InFlight {
  readonly arrival: SimulatedEvent
  readonly call: string
}

/**
 * One connection, in the shape of an ioredis client as `RedisLink` uses it: commands arrive in the order they were sent,
 * replies come back in theirs, and when it breaks nobody knows what became of the rest.
 */
export class SimulatedClient {
  status = 'wait'
  readonly #network: Network
  readonly #actor: Actor
  readonly #replyTimeoutMs: number
  readonly #listeners: { event: string; listen: (error?: Error) => void }[] = []
  #pending: Pending[] = []
  /** On their way back. */
  readonly #replies: unknown[] = []
  #inFlight: InFlight[] = []
  #lastArrivalMs = 0
  #lastReplyMs = 0
  #heardMs = 0
  /** Nothing that is sent from now on arrives. */
  #isDeaf = false
  /** Nothing comes back any more. */
  #isMute = false
  /** As the server sees it. */
  #isOpen = true
  #watchdog: SimulatedEvent | undefined

  /** @param replyTimeoutMs the connection is given up when commands wait and nothing comes for so long */
  constructor(network: Network, actor: Actor, replyTimeoutMs: number) {
    this.#network = network
    this.#actor = actor
    this.#replyTimeoutMs = replyTimeoutMs
  }

  connect(): Promise<void> {
    this.status = 'connecting'
    const { server } = this.#network
    return new Promise((resolve, reject) => {
      this.#soon('connect', () => {
        if (server.isUp && this.status === 'connecting') {
          this.status = 'ready'
          return resolve()
        }
        const refused = new Error('connect ECONNREFUSED')
        this.#emit('error', refused)
        this.#close()
        reject(new Error(CLOSED))
      })
    })
  }

  on(event: string, listen: (error?: Error) => void): this {
    this.#listeners.push({ event, listen })
    return this
  }

  once(event: string, listen: (error?: Error) => void): this {
    return this.on(event, listen)
  }

  call(command: string, args: readonly Argument[]): Promise<unknown> {
    return this.#send(command, args)
  }

  callBuffer(command: string, args: readonly Argument[]): Promise<unknown> {
    return this.#send(command, args)
  }

  sendCommand({ name, args }: { readonly name: string; readonly args: readonly Argument[] }): Promise<unknown> {
    return this.#send(name, args)
  }

  script(_: 'LOAD', text: string): Promise<unknown> {
    return this.#send('SCRIPT', ['LOAD', text])
  }

  info(): Promise<unknown> {
    return this.#send('INFO', [])
  }

  hmget(key: string, ...names: string[]): Promise<unknown> {
    return this.#send('HMGET', [key, ...names])
  }

  hsetnx(key: string, name: string, value: Argument): Promise<unknown> {
    return this.#send('HSETNX', [key, name, value])
  }

  zrem(key: string, member: string): Promise<unknown> {
    return this.#send('ZREM', [key, member])
  }

  /** What was sent still arrives; replies are not waited for. */
  disconnect(): void {
    if (this.status === 'end' || this.status === 'disconnecting') return
    this.status = 'disconnecting'
    this.#soon('disconnect', () => this.#close())
  }

  /** The other end is gone, or the process of this one. @param arriving in [0, 1]: part of what is in flight that arrives */
  cut(arriving: number): string[] {
    const kept = Math.round(this.#inFlight.length * arriving)
    const lost = this.#inFlight.splice(kept)
    for (const { arrival } of lost) arrival.isCancelled = true
    this.#isDeaf = true
    this.#isMute = true
    this.#serverLearns(this.#network.random.chance(0.3) ? this.#network.random.between(0, 3000) : 1)
    return [...this.#inFlight.map(({ call }) => `${call}, arrives`), ...lost.map(({ call }) => `${call}, lost`)]
  }

  /** The client notices that its connection is gone. */
  break(reason: string, afterMs: number): void {
    const { scheduler } = this.#network
    scheduler.at(afterMs, this.#actor, `connection: ${reason}`, () => {
      if (this.status === 'end') return
      this.#emit('error', new Error(reason))
      this.#close()
    })
  }

  #send(command: string, args: readonly Argument[]): Promise<unknown> {
    if (this.status !== 'ready') return Promise.reject(new Error(NOT_WRITEABLE))
    const { scheduler, faults } = this.#network
    const call = nameOf(command, args)
    const fault = faults.draw(call)
    if (fault !== undefined) scheduler.note(`fault: ${fault}, ${call}`)
    // The bytes leave the process now.
    const sent = args.map((argument) => (Buffer.isBuffer(argument) ? Buffer.from(argument) : argument))
    return new Promise((resolve, reject) => {
      this.#pending.push({ sentAtMs: scheduler.nowMs, resolve, reject })
      this.#watch()
      const wayMs = this.#wayMs() + this.#delayMs(fault)
      const arrivesAtMs = Math.max(scheduler.nowMs + wayMs, this.#lastArrivalMs + 0.001)
      const isLost = this.#isDeaf || fault === 'request lost'
      this.#begin(fault, arrivesAtMs - scheduler.nowMs)
      if (isLost) return
      this.#lastArrivalMs = arrivesAtMs
      const arrival = scheduler.at(arrivesAtMs - scheduler.nowMs, undefined, call, () => {
        this.#inFlight.shift()
        this.#arrive(command, sent, fault)
      })
      this.#inFlight.push({ arrival, call })
    })
  }

  /** What a fault does to the connection while the command is on its way. */
  #begin(fault: NetworkFault | undefined, wayMs: number): void {
    const { random } = this.#network
    switch (fault) {
      case 'request lost':
        this.#isDeaf = true
        this.#isMute = true
        this.break('read ECONNRESET', random.between(0, 20))
        break
      case 'reply lost':
        this.#isMute = true
        this.#isDeaf = random.chance(0.5)
        this.break('read ECONNRESET', wayMs + random.between(0, 20))
        break
      case 'request late':
        this.#isMute = true
        this.#isDeaf = true
        this.break('write EPIPE', random.between(0, 20))
        break
      case 'silence':
        this.#isMute = true
    }
  }

  #delayMs(fault: NetworkFault | undefined): number {
    const { random } = this.#network
    if (fault === 'request late') return random.between(50, 4000)
    return fault === 'request slow' ? random.between(20, 600) : 0
  }

  #arrive(command: string, args: readonly Argument[], fault: NetworkFault | undefined): void {
    const { server, random } = this.#network
    if (!server.isUp) return
    const reply = (value: unknown) => this.#reply(value, fault === 'reply slow' ? random.between(20, 600) : 0)
    if (fault === 'scripts flushed') server.flushScripts()
    if (fault === 'refused') reply(new ServerError(refusalOf(command, args, random)))
    else server.execute({ command, args, isConnected: () => this.#isOpen, reply })
  }

  #reply(value: unknown, delayMs: number): void {
    if (this.#isMute) return
    const { scheduler } = this.#network
    const atMs = Math.max(scheduler.nowMs + this.#wayMs() + delayMs, this.#lastReplyMs + 0.001)
    this.#lastReplyMs = atMs
    this.#replies.push(value)
    scheduler.at(atMs - scheduler.nowMs, this.#actor, 'reply', () => {
      if (this.status !== 'ready') return
      this.#heardMs = scheduler.nowMs
      // Not `value`: after a stop of the process these events may come in another order, the bytes do not.
      const reply = this.#replies.shift()
      const pending = this.#pending.shift()
      if (reply instanceof ServerError) pending?.reject(new Error(reply.message))
      else pending?.resolve(reply)
    })
  }

  /** One look per time-out: late by as much at most. */
  #watch(): void {
    if (this.#watchdog !== undefined) return
    const { scheduler } = this.#network
    this.#watchdog = scheduler.at(this.#replyTimeoutMs, this.#actor, 'timer', () => {
      this.#watchdog = undefined
      const [oldest] = this.#pending
      if (oldest === undefined || this.status === 'end') return
      const sinceMs = Math.max(oldest.sentAtMs, this.#heardMs)
      if (scheduler.nowMs - sinceMs < this.#replyTimeoutMs * 0.999) return this.#watch()
      this.#emit('error', new Error('Socket timeout.'))
      this.#close()
    })
  }

  #close(): void {
    if (this.status === 'end') return
    this.status = 'end'
    const pending = this.#pending
    this.#pending = []
    for (const { reject } of pending) reject(new Error(CLOSED))
    this.#emit('end')
    this.#serverLearns(this.#wayMs())
  }

  /** Behind all that is in flight. */
  #serverLearns(afterMs: number): void {
    const { scheduler } = this.#network
    const atMs = Math.max(scheduler.nowMs + afterMs, this.#lastArrivalMs)
    scheduler.at(atMs - scheduler.nowMs, undefined, 'connection closed', () => {
      this.#isOpen = false
    })
  }

  #soon(label: string, run: () => void): void {
    this.#network.scheduler.at(this.#wayMs(), this.#actor, label, run)
  }

  #wayMs(): number {
    const { random, latencyMs } = this.#network
    return random.next() * latencyMs
  }

  #emit(event: string, error?: Error): void {
    for (const { event: name, listen } of this.#listeners) if (name === event) listen(error)
  }
}

/** A script by its name, anything else by its command. */
function nameOf(command: string, args: readonly Argument[]): string {
  return command === 'EVALSHA' || command === 'EVAL' ? scriptOf(textOf(args[0])).name : command.toLowerCase()
}

function refusalOf(command: string, args: readonly Argument[], random: SeededRandom): string {
  const isAppend = nameOf(command, args) === 'append'
  return random.pick(
    isAppend
      ? ['OOM command not allowed', 'MISCONF Redis is configured to save', 'LOADING Redis is loading']
      : ['LOADING Redis is loading', 'BUSY Redis is busy', 'READONLY You cannot write against a read only replica'],
  )
}
