import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { HANDLER_TYPES } from '#core/model/finding'
import { PRIORITY, type Priority } from '#core/model/priority'
import { PRIORITY_AGE_LIMITS_MS } from '#core/policy/priority-turns'
import { systemClock } from '#core/time/clock'
import type { BatchProducer, LeasedEntry, SealedBatch } from '#core/transport/batch-stream'
import { openBatchProducer } from '#core/transport/redis/redis-stream'
import { encodeBatch } from '#test/support/encoded-batches'
import { median, percentile } from '#test/support/percentile'
import { startRedis } from '#test/support/redis-server'
import { keepUntilEnd, queueAt } from '#test/support/redis-store'
import { SessionProcessor } from '#test/support/session-processor'
import { specOf } from '#test/support/shard-owner'

const SHARDS = 8
/** A long run sets `CRITICAL_SECONDS`. */
const SECONDS = Number(process.env.CRITICAL_SECONDS ?? 14)
/** Not measured: threads start, and the backlog grows. */
const WARM_UP_SECONDS = 3
const BULK_SAMPLES = 4000
/** Bulk batches of a shard that wait: more than two seconds of work. */
const BULK_WAITING = 60
const CRITICAL_SAMPLES = 10
const CRITICAL_EVERY_MS = 20
const WAIT_MS = 100
/** Where the machine is slow: so many runs' time. The shards have their turns twice, and commits take as long again. */
const WAIT_RUNS = 4 * (SHARDS + 1)

/** What happened in one second. */
interface Second {
  critical: number[]
  bulk: number[]
  runs: number
}

/** Stores batches and finds out how long each waits until its findings are durable. */
class Flow {
  readonly seconds: Second[] = []
  /** Bulk batches that wait. */
  waiting = 0
  readonly #producer: BatchProducer
  readonly #storedMs = new Map<string, number>()
  readonly #seqs = new Map<string, number>()
  readonly #startMs = performance.now()

  constructor(producer: BatchProducer) {
    this.#producer = producer
  }

  get second(): Second {
    const number = Math.floor((performance.now() - this.#startMs) / 1000)
    while (this.seconds.length <= number) this.seconds.push({ critical: [], bulk: [], runs: 0 })
    return this.seconds[number]
  }

  async append(name: string, shards: readonly number[], priority: Priority, samples: number): Promise<void> {
    const batches = shards.map((shard) => this.#seal(name, shard, priority, samples))
    for (const { kind } of await this.#producer.append(batches)) assert.equal(kind, 'stored')
    if (priority === PRIORITY.low) this.waiting += batches.length
  }

  written(entries: readonly LeasedEntry[]): void {
    const nowMs = performance.now()
    for (const { correlationId, priority } of entries) {
      const waitMs = nowMs - this.#storedMs.get(correlationId)!
      this.#storedMs.delete(correlationId)
      if (priority === PRIORITY.high) this.second.critical.push(waitMs)
      else {
        this.waiting--
        this.second.bulk.push(waitMs)
      }
    }
  }

  #seal(producer: string, shard: number, priority: Priority, samples: number): SealedBatch {
    const key = `${producer}.1.${shard}`
    const seq = (this.#seqs.get(key) ?? 0) + 1
    this.#seqs.set(key, seq)
    this.#storedMs.set(`${key}.${seq}`, performance.now())
    const firstTakenAtUs = systemClock.nowUs()
    const rows = Array.from({ length: samples }, (_, i) => {
      return { device: key, value: i % 50, takenAtUs: firstTakenAtUs + i, sequence: i }
    })
    const header = { producer, epoch: 1, seq, shard, priority, handler: '*' }
    return { ...header, samples, firstTakenAtUs, body: encodeBatch(rows) }
  }
}

describe('what is critical, beside bulk that is more than can be done', () => {
  const keep = keepUntilEnd()

  it('waits for a few runs and commits, and bulk no longer than its limit (scenario 26)', async (context) => {
    const redis = await keep(startRedis())
    const options = queueAt(redis.port, { shards: SHARDS })
    const flow = new Flow(await keep(openBatchProducer(options)))
    const handlers = HANDLER_TYPES.map((type) => specOf(type))
    const moduleUrl = import.meta.resolve('#core/transport/redis/redis-stream')
    const onWritten = (entries: readonly LeasedEntry[]) => flow.written(entries)
    const onRun = () => void flow.second.runs++
    const processor = await keep(SessionProcessor.start({ moduleUrl, options }, handlers, { onWritten, onRun }))
    while (processor.session.shardsOwned < SHARDS) await pause(10)
    const endMs = performance.now() + SECONDS * 1000
    const all = Array.from({ length: SHARDS }, (_, shard) => shard)
    const bulk = async () => {
      while (performance.now() < endMs) {
        if (flow.waiting < BULK_WAITING * SHARDS) await flow.append('bulk', all, PRIORITY.low, BULK_SAMPLES)
        else await pause(5)
      }
    }
    const critical = async () => {
      for (let n = 0; performance.now() < endMs; n++) {
        await flow.append('critical', [n % SHARDS], PRIORITY.high, CRITICAL_SAMPLES)
        await pause(CRITICAL_EVERY_MS)
      }
    }
    await Promise.all([bulk(), critical()])
    const seconds = flow.seconds.slice(WARM_UP_SECONDS, SECONDS).filter(({ critical }) => critical.length > 0)
    const waits = median(seconds.map(({ critical }) => percentile(critical, 0.99)))
    const bulkWaits = seconds.flatMap((second) => second.bulk)
    const runMs = 1000 / median(seconds.map(({ runs }) => runs))
    const [bulkMs, oldestMs] = [median(bulkWaits), percentile(bulkWaits, 1)]
    context.diagnostic(
      `critical p99 ${waits.toFixed(0)} ms (median of the seconds), bulk p50 ${bulkMs.toFixed(0)} ms, oldest ${oldestMs.toFixed(0)} ms, a run each ${runMs.toFixed(1)} ms`,
    )
    assert.ok(waits <= Math.max(WAIT_MS, WAIT_RUNS * runMs), `critical p99 ${waits} ms, a run each ${runMs} ms`)
    assert.ok(waits < bulkMs / 2, `critical p99 ${waits} ms, bulk p50 ${bulkMs} ms`)
    assert.ok(oldestMs < PRIORITY_AGE_LIMITS_MS[PRIORITY.low], `bulk waited ${oldestMs} ms`)
  })
})
