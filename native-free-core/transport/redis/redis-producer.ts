import type { Redis } from 'ioredis'
import { TelemetryError } from '../../errors/telemetry-error.js'
import { batchId } from '../../model/batch.js'
import type { AppendOutcome, BatchProducer, SealedBatch } from '../batch-stream.js'
import { type ShardKeys, shardKeys } from './keyspace.js'
import { toTelemetryError, troubleOf, wasNotSent, writeFailure } from './redis-errors.js'
import type { RedisLink } from './redis-link.js'
import { APPEND } from './scripts/append-v1-k5.js'

const STORED = -1
const DUPLICATE = -2
/** Bodies in one script call: Redis serves nobody else meanwhile, for up to 3 ms. Bytes. */
const CALL_BYTES = 512 * 1024

interface AppendCall {
  /** Which of the batches it carries. */
  indexes: number[]
  args: (string | number | Buffer)[]
  bytes: number
}

/** An outcome, or the error of a batch that was certainly not looked at and can be sent again. */
type Reply = AppendOutcome | Error

/** Appends over one connection of its own. Thread: whichever opened it. Cost: a script call per 512 KB, pipelined. */
export class RedisProducer implements BatchProducer {
  readonly shards: number
  readonly #link: RedisLink
  readonly #keys: readonly ShardKeys[]
  /** The latest call; calls are answered in order. */
  #latest: Promise<unknown> = Promise.resolve()
  /** Calls that had to send again: those sent meanwhile may have met a gap that is filled since. */
  #repairs = 0

  /** @param link its `prepare` loads {@link APPEND} */
  constructor(link: RedisLink, queueName: string, shards: number) {
    this.shards = shards
    this.#link = link
    this.#keys = Array.from({ length: shards }, (_, shard) => shardKeys(queueName, shard))
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
    this.#link.close()
  }

  /** Sends everything at once; a later call's batches go out behind it without waiting. */
  async #send(batches: readonly SealedBatch[]): Promise<Reply[]> {
    if (batches.length === 0) return []
    let client: Redis
    try {
      client = await this.#link.client()
    } catch (error) {
      const outcome = writeFailure(toTelemetryError(error, this.#link.where))
      return batches.map(() => outcome)
    }
    const replies = new Array<Reply>(batches.length)
    await Promise.all(this.#calls(batches).map((call) => this.#sendCall(client, call, replies)))
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
        call = { indexes: [], args: [APPEND.sha, 5, ...streams, highWater, counters, field], bytes: 0 }
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

  async #sendCall(client: Redis, { indexes, args }: AppendCall, replies: Reply[]): Promise<void> {
    try {
      const results = (await client.call('EVALSHA', args)) as (number | string)[]
      for (const [i, result] of results.entries()) {
        replies[indexes[i]] = typeof result === 'string' ? this.#failed(client, new Error(result)) : outcomeOf(result)
      }
    } catch (error) {
      const reply = this.#failed(client, error as Error)
      for (const index of indexes) replies[index] = reply
    }
  }

  #failed(client: Redis, error: Error): Reply {
    const outcome = writeFailure(this.#link.failure(client, error))
    return troubleOf(error) === 'no-script' || wasNotSent(error) ? error : outcome
  }

  /**
   * Sends again what met a flushed script cache or a closed connection, and what came to a gap because something before
   * it did. Nothing overtakes: the high water lets only the next number in.
   */
  async #repair(batches: readonly SealedBatch[], replies: Reply[], repairsBefore: number): Promise<AppendOutcome[]> {
    let mayBeHeldUp = this.#repairs !== repairsBefore || replies.some(isError)
    for (let tries = 0; tries < 3 && mayBeHeldUp; tries++) {
      if (replies.some((reply) => troubleOf(reply) === 'no-script')) await this.#loadScript()
      const again = replies.flatMap((reply, i) => (isError(reply) || reply.kind === 'gap' ? [i] : []))
      const second = await this.#send(again.map((i) => batches[i]))
      for (const [k, i] of again.entries()) replies[i] = second[k]
      mayBeHeldUp = second.some(isError)
      this.#repairs++
    }
    return replies.map((reply) => (isError(reply) ? writeFailure(toTelemetryError(reply, this.#link.where)) : reply))
  }

  /** A failure shows when the batches are sent again. */
  async #loadScript(): Promise<void> {
    await this.#link
      .client()
      .then((client) => client.script('LOAD', APPEND.text))
      .catch(() => {})
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
