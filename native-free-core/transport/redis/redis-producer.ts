import type { Redis } from 'ioredis'
import { TelemetryError } from '../../errors/telemetry-error.js'
import { batchId } from '../../model/batch.js'
import type { AppendOutcome, BatchProducer, SealedBatch } from '../batch-stream.js'
import type { CommandRouter } from './command-router.js'
import { GatheredCommand } from './gathered-command.js'
import type { ShardKeys } from './keyspace.js'
import { toTelemetryError, troubleOf, wasNotSent, writeFailure } from './redis-errors.js'
import type { RedisLink } from './redis-link.js'
import type { RedisOptions } from './redis-options.js'
import { APPEND } from './scripts/append-v1-k5.js'

const STORED = -1
const DUPLICATE = -2
/** Bodies in one script call: Redis serves nobody else meanwhile, for about a millisecond. Bytes. */
const CALL_BYTES = 128 * 1024

interface AppendCall {
  shard: number
  /** Which of the batches it carries. */
  indexes: number[]
  args: (string | number | Buffer)[]
  bytes: number
}

/** An outcome, or the error of a batch that was certainly not looked at and can be sent again. */
type Reply = AppendOutcome | Error

/**
 * Appends over one connection of its own to each server that holds shards. Thread: whichever opened it. Cost: a script
 * call per 128 KB, pipelined, and with replication one `WAIT` per server for all calls of an append.
 */
export class RedisProducer implements BatchProducer {
  readonly shards: number
  readonly #router: CommandRouter
  readonly #keys: readonly ShardKeys[]
  readonly #replication: RedisOptions['replication']
  /** The latest call; calls are answered in order. */
  #latest: Promise<unknown> = Promise.resolve()
  /** Later calls find their servers behind earlier ones, so that none overtakes another on the way to a server. */
  #routing: Promise<unknown> = Promise.resolve()
  /** Calls that had to send again: those sent meanwhile may have met a gap that is filled since. */
  #repairs = 0
  /** Servers whose script cache was flushed. */
  readonly #withoutScript = new Set<RedisLink>()

  /**
   * @param router its `prepare` loads {@link APPEND}
   * @param keys of all shards
   * @param replication absent: stored means that the primary has it
   */
  constructor(router: CommandRouter, keys: readonly ShardKeys[], replication: RedisOptions['replication']) {
    this.shards = keys.length
    this.#router = router
    this.#keys = keys
    this.#replication = replication
  }

  append(batches: readonly SealedBatch[]): Promise<AppendOutcome[]> {
    const wrong = batches.find(({ shard, priority }) => this.#keys[shard]?.streams[priority] === undefined)
    if (wrong !== undefined) {
      const { seq, shard, priority } = wrong
      const problem = `Batch ${seq} has shard ${shard} of ${this.shards} and priority ${priority}.`
      return Promise.reject(new TelemetryError('TLM_INVARIANT_BROKEN', problem))
    }
    const repairsBefore = this.#repairs
    const sent = this.#send(batches)
    const answered = this.#latest.then(async () => this.#repair(batches, await sent, repairsBefore))
    this.#latest = answered
    return answered
  }

  async close(): Promise<void> {
    await this.#latest
    this.#router.close()
  }

  /** Sends everything at once; a later call's batches go out behind it without waiting. */
  async #send(batches: readonly SealedBatch[]): Promise<Reply[]> {
    const replies = new Array<Reply>(batches.length)
    const calls = this.#calls(batches)
    const routed = this.#routing.then(() => this.#route(calls, replies))
    this.#routing = routed
    const groups = await routed
    await Promise.all(Array.from(groups, ([link, group]) => this.#sendGroup(link, group, replies)))
    return replies
  }

  /** Cuts the batches into script calls: batches of one numbering together, in order, up to {@link CALL_BYTES}. */
  #calls(batches: readonly SealedBatch[]): AppendCall[] {
    const calls: AppendCall[] = []
    const open = new Map<string, AppendCall>()
    for (const [index, batch] of batches.entries()) {
      const { producer, epoch, seq, shard, priority, handler, samples, firstTakenAtUs, body } = batch
      const field = `${producer}#${epoch}`
      const name = `${shard} ${field}`
      let call = open.get(name)
      if (call === undefined || call.bytes + body.byteLength > CALL_BYTES) {
        const { streams, highWater, counters } = this.#keys[shard]
        call = { shard, indexes: [], args: [APPEND.sha, 5, ...streams, highWater, counters, field], bytes: 0 }
        calls.push(call)
        open.set(name, call)
      }
      const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
      call.args.push(priority, batch.after ?? seq - 1, seq, batchId(batch, shard), handler, samples, firstTakenAtUs)
      call.args.push(bytes.byteLength, bytes)
      call.bytes += bytes.byteLength
      call.indexes.push(index)
    }
    return calls
  }

  /** Calls by the server that holds their shards; those that nobody holds are answered here. Never rejects. */
  async #route(calls: readonly AppendCall[], replies: Reply[]): Promise<Map<RedisLink, AppendCall[]>> {
    const groups = new Map<RedisLink, AppendCall[]>()
    for (const call of calls) {
      try {
        const link = await this.#router.linkTo(this.#keys[call.shard].highWater)
        const group = groups.get(link)
        if (group === undefined) groups.set(link, [call])
        else group.push(call)
      } catch (error) {
        const outcome = writeFailure(toTelemetryError(error, this.#router.where))
        for (const index of call.indexes) replies[index] = outcome
      }
    }
    return groups
  }

  /** All calls to one server, and behind them, when replicas are to have it, the question whether they do. */
  async #sendGroup(link: RedisLink, calls: readonly AppendCall[], replies: Reply[]): Promise<void> {
    let client: Redis
    try {
      client = await link.client()
    } catch (error) {
      const outcome = writeFailure(toTelemetryError(error, link.where))
      for (const { indexes } of calls) for (const index of indexes) replies[index] = outcome
      return
    }
    const sent = calls.map((call) => this.#sendCall(link, client, call, replies))
    const replicated = this.#replication && confirmReplicas(link, client, this.#replication)
    await Promise.all(sent)
    const problem = await replicated
    if (problem === undefined) return
    for (const { indexes } of calls) {
      for (const index of indexes) {
        const reply = replies[index]
        // A duplicate, too, is only as safe as its first copy.
        const isThere = !isError(reply) && (reply.kind === 'stored' || reply.kind === 'duplicate')
        if (isThere) replies[index] = { kind: 'unavailable', message: problem }
      }
    }
  }

  async #sendCall(link: RedisLink, client: Redis, { indexes, args }: AppendCall, replies: Reply[]): Promise<void> {
    try {
      const results = (await client.sendCommand(new GatheredCommand('EVALSHA', args))) as (number | string)[]
      for (const [i, result] of results.entries()) {
        replies[indexes[i]] =
          typeof result === 'string' ? this.#failed(link, client, new Error(result)) : outcomeOf(result)
      }
    } catch (error) {
      const reply = this.#failed(link, client, error as Error)
      for (const index of indexes) replies[index] = reply
    }
  }

  #failed(link: RedisLink, client: Redis, error: Error): Reply {
    const failure = link.failure(client, error)
    const isWithoutScript = troubleOf(error) === 'no-script'
    if (isWithoutScript) this.#withoutScript.add(link)
    const wasNotDone = isWithoutScript || wasNotSent(error) || this.#router.redirected(failure)
    return wasNotDone ? error : writeFailure(failure)
  }

  /**
   * Sends again what met a flushed script cache, a closed connection or a slot that is elsewhere, and what came to a gap
   * because something before it did. Nothing overtakes: the high water lets only the next number in.
   */
  async #repair(batches: readonly SealedBatch[], replies: Reply[], repairsBefore: number): Promise<AppendOutcome[]> {
    let mayBeHeldUp = this.#repairs !== repairsBefore || replies.some(isError)
    for (let tries = 0; tries < 3 && mayBeHeldUp; tries++) {
      await this.#loadScript()
      const again = replies.flatMap((reply, i) => (isError(reply) || reply.kind === 'gap' ? [i] : []))
      const second = await this.#send(again.map((i) => batches[i]))
      for (const [k, i] of again.entries()) replies[i] = second[k]
      mayBeHeldUp = second.some(isError)
      this.#repairs++
    }
    const { where, isCluster } = this.#router
    return replies.map((reply) => (isError(reply) ? writeFailure(toTelemetryError(reply, where, isCluster)) : reply))
  }

  /** A failure shows when the batches are sent again. */
  async #loadScript(): Promise<void> {
    const links = [...this.#withoutScript]
    this.#withoutScript.clear()
    await Promise.all(links.map((link) => link.call((client) => client.script('LOAD', APPEND.text)).catch(() => {})))
  }
}

/**
 * Asks, behind everything that was sent before on the connection, whether enough replicas have all that it has written.
 *
 * @returns what is missing; `undefined` when nothing is
 */
async function confirmReplicas(
  link: RedisLink,
  client: Redis,
  { replicas, timeoutMs }: NonNullable<RedisOptions['replication']>,
): Promise<string | undefined> {
  try {
    const confirmed = Number(await client.call('WAIT', replicas, timeoutMs))
    if (confirmed >= replicas) return undefined
    const fix = 'Fix: look after the replicas, or set redis.durability to local.'
    return `${link.where}: only ${confirmed} of ${replicas} replicas had it after ${timeoutMs} ms. ${fix}`
  } catch (error) {
    return link.failure(client, error).message
  }
}

function outcomeOf(result: number): AppendOutcome {
  if (result === STORED) return { kind: 'stored' }
  if (result === DUPLICATE) return { kind: 'duplicate' }
  return { kind: 'gap', highWaterSeq: result }
}

function isError(reply: Reply): reply is Error {
  return reply instanceof Error
}
