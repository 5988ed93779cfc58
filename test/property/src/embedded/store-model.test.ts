import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Priority } from '#core/model/priority'
import type { BatchProducer, BatchStream, LeasedEntry, OwnedShard, SealedBatch } from '#core/transport/batch-stream'
import { openBatchProducer, openBatchStream } from '#src/embedded/embedded-stream'

const seed = Number(process.env.TEST_SEED ?? Date.now() % 2 ** 31)
const SHARD = 0

/** One step; numbers choose among what there is at the time. */
type Step =
  | { kind: 'append'; producer: number; count: number; priority: Priority; bytes: number }
  | { kind: 'send-again'; producer: number; back: number }
  | { kind: 'skip'; producer: number; by: number }
  | { kind: 'lease'; most: number }
  | { kind: 'settle'; ack: number; retry: number; dead: number }
  | { kind: 'new-owner'; isOrderly: boolean }
  | { kind: 'new-producer' }
  | { kind: 'measure' }

const producer = fc.nat(1)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      producer,
      count: fc.integer({ min: 1, max: 12 }),
      priority: fc.constantFrom<Priority>(0, 1, 2),
      bytes: fc.nat(1500),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('send-again' as const), producer, back: fc.nat(5) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('skip' as const), producer, by: fc.integer({ min: 1, max: 9 }) }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('lease' as const), most: fc.integer({ min: 1, max: 20 }) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('settle' as const),
      ack: fc.nat(255),
      retry: fc.nat(255),
      dead: fc.nat(255),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('new-owner' as const), isOrderly: fc.boolean() }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'new-producer' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'measure' as const }) },
)

/** What the store should hold. */
class Model {
  readonly highWater = [0, 0]
  /** Unsettled batches by correlation id, with the deliveries and attempts so far. */
  readonly open = new Map<string, { batch: SealedBatch; deliveries: number; attempts: number; isLeased: boolean }>()
  dead = 0
}

class World {
  readonly #model = new Model()
  readonly #directory = mkdtempSync(join(tmpdir(), 'store-model-'))
  readonly #options = { directory: this.#directory, shards: 1, segmentBytes: 4096 }
  #leased: LeasedEntry[] = []
  #owners = 0
  #producer!: BatchProducer
  #stream!: BatchStream
  #shard!: OwnedShard

  async open(): Promise<void> {
    this.#producer = await openBatchProducer(this.#options)
    await this.#own()
  }

  async close(): Promise<void> {
    await this.#producer.close()
    await this.#stream.close()
    rmSync(this.#directory, { recursive: true })
  }

  async take(step: Step): Promise<void> {
    if (step.kind === 'append') await this.#append(step.producer, step.count, step.priority, step.bytes)
    else if (step.kind === 'send-again') await this.#sendAgain(step.producer, step.back)
    else if (step.kind === 'skip') await this.#skip(step.producer, step.by)
    else if (step.kind === 'lease') await this.#lease(step.most)
    else if (step.kind === 'settle') await this.#settle(step.ack, step.retry, step.dead)
    else if (step.kind === 'new-owner') await this.#replaceOwner(step.isOrderly)
    else if (step.kind === 'new-producer') await this.#replaceProducer()
    else await this.#measure()
  }

  /** In the end everything comes once and can be settled. */
  async drain(): Promise<void> {
    while (this.#model.open.size > 0) {
      const before = this.#model.open.size
      await this.#lease(1000)
      await this.#settle(0xffff, 0, 0)
      assert.ok(this.#model.open.size < before, `${before} batches should still come`)
    }
    assert.deepEqual(await this.#shard.lease({ maxEntries: 10, maxBytes: 1e9 }, 0), [])
    await this.#measure()
  }

  async #append(index: number, count: number, priority: Priority, bytes: number): Promise<void> {
    const first = this.#model.highWater[index] + 1
    const batches = Array.from({ length: count }, (_, i) => makeBatch(index, first + i, priority, bytes))
    for (const outcome of await this.#producer.append(batches)) assert.deepEqual(outcome, { kind: 'stored' })
    for (const batch of batches) this.#add(index, batch)
  }

  async #sendAgain(index: number, back: number): Promise<void> {
    const seq = this.#model.highWater[index] - back
    if (seq < 1) return
    assert.deepEqual(await this.#producer.append([makeBatch(index, seq, 1, 10)]), [{ kind: 'duplicate' }])
  }

  async #skip(index: number, by: number): Promise<void> {
    const highWaterSeq = this.#model.highWater[index]
    const far = makeBatch(index, highWaterSeq + 1 + by, 1, 10)
    assert.deepEqual(await this.#producer.append([far]), [{ kind: 'gap', highWaterSeq }])
    const batch = { ...far, after: highWaterSeq }
    assert.deepEqual(await this.#producer.append([batch]), [{ kind: 'stored' }])
    this.#add(index, batch)
  }

  #add(index: number, batch: SealedBatch): void {
    this.#model.highWater[index] = batch.seq
    this.#model.open.set(idOf(batch), { batch, deliveries: 0, attempts: 0, isLeased: false })
  }

  async #lease(maxEntries: number): Promise<void> {
    const entries = await this.#shard.lease({ maxEntries, maxBytes: 1e9 }, 0)
    const waiting = [...this.#model.open.values()].filter(({ isLeased }) => !isLeased).length
    assert.equal(entries.length, Math.min(maxEntries, waiting))
    const last = new Map<string, number>()
    for (const entry of entries) {
      const known = this.#model.open.get(entry.correlationId)
      assert.ok(known && !known.isLeased, `${entry.correlationId} is open and not leased`)
      known.isLeased = true
      known.deliveries++
      const { batch, deliveries, attempts } = known
      assert.deepEqual([entry.deliveryCount, entry.attempts], [deliveries, attempts], entry.correlationId)
      assert.ok(Buffer.from(batch.body).equals(entry.body), `body of ${entry.correlationId}`)
      if (attempts > 0) continue
      const line = `${batch.producer} ${entry.priority}`
      assert.ok(batch.seq > (last.get(line) ?? 0), `${entry.correlationId} comes in order`)
      last.set(line, batch.seq)
    }
    this.#leased.push(...entries)
  }

  async #settle(ack: number, retry: number, dead: number): Promise<void> {
    const has = (mask: number, i: number) => ((mask >> (i % 8)) & 1) === 1
    const acked = this.#leased.filter((_, i) => has(ack, i))
    const retried = this.#leased.filter((_, i) => !has(ack, i) && has(retry, i))
    const buried = this.#leased.filter((_, i) => !has(ack, i) && !has(retry, i) && has(dead, i))
    const result = await this.#shard.settle({
      ack: acked.map(({ id }) => id),
      retry: retried.map(({ id, priority, attempts }) => ({ id, priority, attempts: attempts + 1, afterMs: 0 })),
      deadLetter: buried.map(({ id, priority }) => ({ id, priority, class: 'test', message: 'model' })),
      state: new Map(),
    })
    assert.deepEqual(result, { kind: 'settled' })
    for (const { correlationId } of [...acked, ...buried]) this.#model.open.delete(correlationId)
    for (const { correlationId } of retried) {
      const known = this.#model.open.get(correlationId)!
      known.attempts++
      known.isLeased = false
    }
    this.#model.dead += buried.length
    const settled = new Set([...acked, ...retried, ...buried])
    this.#leased = this.#leased.filter((entry) => !settled.has(entry))
  }

  async #replaceOwner(isOrderly: boolean): Promise<void> {
    const former = this.#shard
    if (isOrderly) await former.release()
    await this.#stream.close()
    await this.#own()
    const late = { ack: this.#leased.map(({ id }) => id), retry: [], deadLetter: [], state: new Map() }
    assert.deepEqual(await former.settle(late), { kind: 'fenced' })
    this.#leased = []
    for (const known of this.#model.open.values()) known.isLeased = false
  }

  async #own(): Promise<void> {
    this.#stream = await openBatchStream(this.#options, `owner-${this.#owners++}`)
    const deadline = performance.now() + 5000
    for (;;) {
      const shard = await this.#stream.own(SHARD, 30)
      if (shard !== undefined) {
        this.#shard = shard
        return
      }
      assert.ok(performance.now() < deadline, 'the shard becomes free')
    }
  }

  async #replaceProducer(): Promise<void> {
    await this.#producer.close()
    this.#producer = await openBatchProducer(this.#options)
  }

  async #measure(): Promise<void> {
    const [{ entries, samples, bytes, deadLetters }] = await this.#stream.depths()
    const open = [...this.#model.open.values()]
    const sum = (of: (batch: SealedBatch) => number) => open.reduce((total, { batch }) => total + of(batch), 0)
    const expected = [open.length, sum((batch) => batch.samples), sum(({ body }) => body.length), this.#model.dead]
    assert.deepEqual([entries, samples, bytes, deadLetters], expected)
  }
}

function makeBatch(producerIndex: number, seq: number, priority: Priority, bytes: number): SealedBatch {
  const body = new Uint8Array(bytes).fill(seq)
  const epoch = 1_700_000_000_000_000
  const said = { handler: '*', samples: 1 + (seq % 7), firstTakenAtUs: epoch + seq }
  return { producer: `hub-1.r${producerIndex}`, epoch, seq, shard: SHARD, priority, body, ...said }
}

function idOf({ producer: name, epoch, shard, seq }: SealedBatch): string {
  return `${name}.${epoch}.${shard}.${seq}`
}

test(`any history of appends, leases, settlements and changes of owner keeps each batch once (seed ${seed})`, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const world = new World()
      await world.open()
      try {
        for (const one of steps) await world.take(one)
        await world.drain()
      } finally {
        await world.close()
      }
    }),
    { seed, numRuns: 60, endOnFailure: false, interruptAfterTimeLimit: 60_000 },
  )
})
