import type { Redis } from 'ioredis'
import { TelemetryError } from '../../errors/telemetry-error.js'
import { batchId } from '../../model/batch.js'
import type { AppendOutcome, BatchProducer, SealedBatch } from '../batch-stream.js'
import { type ShardKeys, shardKeys } from './keyspace.js'
import { toTelemetryError, troubleOf, wasNotSent, writeFailure } from './redis-errors.js'
import type { RedisLink } from './redis-link.js'
import { APPEND } from './scripts/append-v1-k3.js'

const STORED = -1
const DUPLICATE = -2
/** ioredis joins a pipeline into one buffer: this bounds it. */
const PIPELINE_BYTES = 1 << 20

/** An outcome, or the error of a batch that was certainly not looked at and can be sent again. */
type Reply = AppendOutcome | Error

/** Appends over one connection of its own. Thread: whichever opened it. Cost: one script call per batch, pipelined. */
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
    const pipelines: Promise<[error: Error | null, result: unknown][] | null>[] = []
    for (let next = 0; next < batches.length; ) {
      const pipeline = client.pipeline()
      for (let bytes = 0; next < batches.length && bytes < PIPELINE_BYTES; next++) {
        bytes += batches[next].body.byteLength
        this.#addTo(pipeline, batches[next])
      }
      pipelines.push(pipeline.exec())
    }
    const replies = (await Promise.all(pipelines)).flatMap((results) => results ?? [])
    return replies.map(([error, result]) => (error ? this.#failed(client, error) : outcomeOf(result)))
  }

  #addTo(pipeline: ReturnType<Redis['pipeline']>, batch: SealedBatch): void {
    const { producer, epoch, seq, shard, priority, handler, samples, firstTakenAtUs, body } = batch
    const keys = this.#keys[shard]
    const after = batch.after ?? seq - 1
    const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
    pipeline.call('EVALSHA', [
      ...[APPEND.sha, 3, keys.streams[priority], keys.highWater, keys.counters],
      ...[`${producer}#${epoch}`, after, seq, batchId(batch, shard), handler, samples, firstTakenAtUs],
      ...[bytes, bytes.byteLength],
    ])
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

function outcomeOf(result: unknown): AppendOutcome {
  if (result === STORED) return { kind: 'stored' }
  if (result === DUPLICATE) return { kind: 'duplicate' }
  return { kind: 'gap', highWaterSeq: Number(result) }
}

function isError(reply: Reply): reply is Error {
  return reply instanceof Error
}
