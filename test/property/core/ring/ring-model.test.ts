import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createColumns, type SampleColumns } from '#core/model/columns'
import type { Sample } from '#core/model/sample'
import { createRing } from '#core/ring/layout'
import { RingConsumer } from '#core/ring/ring-consumer'
import { RingProducer } from '#core/ring/ring-producer'

const SLOTS = 8
const RAW_BYTES = 4096

const raw = fc.option(fc.uint8Array({ minLength: 1, maxLength: 3000 }), { nil: undefined, freq: 2 })
const action = fc.oneof(
  fc.record({ kind: fc.constant('one' as const), raw }),
  fc.record({ kind: fc.constant('reading' as const), count: fc.integer({ min: 0, max: SLOTS }), raw }),
  fc.record({ kind: fc.constant('many' as const), raws: fc.array(raw, { maxLength: SLOTS + 2 }), from: fc.nat(3) }),
  fc.record({
    kind: fc.constant('in-place' as const),
    count: fc.integer({ min: 0, max: SLOTS }),
    isGivenUp: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('take' as const), max: fc.nat(SLOTS + 1) }),
  fc.record({ kind: fc.constant('drain' as const), max: fc.nat(SLOTS + 1) }),
  fc.record({ kind: fc.constant('release' as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
  fc.record({ kind: fc.constant('restart-consumer' as const) }),
  fc.record({ kind: fc.constant('restart-producer' as const) }),
)
type Action = typeof action extends fc.Arbitrary<infer T> ? T : never

const startIndex = fc.oneof(
  fc.constantFrom(0, 2 ** 31 - 3, 2 ** 32 - 5, 2 ** 32 - 2000),
  fc.integer({ min: 0, max: 2 ** 32 - 1 }),
)

/** The ring and, beside it, a plain queue that says what the ring must do. */
class RingAndModel {
  readonly #memory: SharedArrayBuffer
  readonly #start: number
  #producer: RingProducer
  #consumer: RingConsumer
  readonly #queue: Sample[] = []
  #drained = 0
  #released = 0
  #made = 0
  readonly #rows = createColumns(SLOTS + 1)

  constructor(start: number) {
    this.#start = start
    this.#memory = createRing({ slots: SLOTS, rawBytes: RAW_BYTES, startIndex: start })
    this.#producer = new RingProducer(this.#memory)
    this.#consumer = new RingConsumer(this.#memory)
  }

  apply(step: Action): void {
    if (step.kind === 'one') this.#publishOne(step.raw)
    else if (step.kind === 'reading') this.#publishReading(step.count, step.raw)
    else if (step.kind === 'many') this.#publishMany(step.raws, step.from)
    else if (step.kind === 'in-place') this.#publishInPlace(step.count, step.isGivenUp)
    else if (step.kind === 'take') this.#take(step.max)
    else if (step.kind === 'drain') this.#drain(step.max)
    else if (step.kind === 'release') this.#release(Math.floor(step.share * this.#drained))
    else if (step.kind === 'restart-producer') this.#producer = new RingProducer(this.#memory)
    else {
      this.#consumer = new RingConsumer(this.#memory)
      this.#drained = 0
    }
    assert.equal(this.#producer.backlog, this.#queue.length)
    assert.equal(this.#producer.free, SLOTS - this.#queue.length)
    assert.equal(this.#consumer.backlog, this.#queue.length - this.#drained)
    assert.equal(this.#consumer.position, (this.#start + this.#released + this.#drained) % 2 ** 32)
  }

  #make(bytes: Uint8Array | undefined): Sample {
    const n = ++this.#made
    const sequence = (n * 0x9e37_79b1) >>> 0
    return {
      series: (n * 0x85eb_ca6b) >>> 0,
      value: n / 7,
      takenAtUs: 1.7e15 + n,
      sequence,
      quality: (n % 8) as Sample['quality'],
      priority: (n % 3) as Sample['priority'],
      raw: bytes,
    }
  }

  #fits(samples: readonly Sample[]): boolean {
    const bytes = [...this.#queue, ...samples].reduce((sum, sample) => sum + (sample.raw?.length ?? 0), 0)
    return this.#queue.length + samples.length <= SLOTS && bytes <= RAW_BYTES
  }

  #publishOne(bytes: Uint8Array | undefined): void {
    const sample = this.#make(bytes)
    const fits = this.#fits([sample])
    assert.equal(this.#producer.tryPublish(sample), fits)
    if (fits) this.#queue.push(sample)
  }

  #publishReading(count: number, bytes: Uint8Array | undefined): void {
    const first = this.#make(bytes)
    const samples = Array.from({ length: count }, (_, i) => ({
      ...first,
      series: i,
      value: i * 1.5,
      raw: i === 0 ? bytes : undefined,
    }))
    const { takenAtUs, sequence, quality, priority } = first
    const series = samples.map((sample) => sample.series)
    const values = Float64Array.from(samples, (sample) => sample.value)
    const fits = this.#fits(samples)
    assert.equal(this.#producer.tryPublishReading(takenAtUs, series, values, sequence, quality, priority, bytes), fits)
    if (fits) this.#queue.push(...samples)
  }

  #publishMany(raws: readonly (Uint8Array | undefined)[], from: number): void {
    const samples = raws.map((bytes) => this.#make(bytes))
    const columns = createColumns(from + samples.length + 1)
    samples.forEach((sample, i) => {
      writeRow(columns, from + i, sample)
    })
    let fitting = 0
    while (fitting < samples.length && this.#fits(samples.slice(0, fitting + 1))) fitting++
    assert.equal(this.#producer.tryPublishMany(columns, from, from + samples.length), fitting)
    this.#queue.push(...samples.slice(0, fitting))
  }

  #publishInPlace(count: number, isGivenUp: boolean): void {
    const samples = Array.from({ length: count }, () => this.#make(undefined))
    const fits = this.#fits(samples)
    assert.equal(this.#producer.tryClaim(count), fits)
    if (fits) {
      samples.forEach(({ series, value, takenAtUs, sequence, quality, priority }, i) => {
        this.#producer.put(i, series, value, takenAtUs, sequence, quality, priority)
      })
    }
    assert.throws(() => this.#producer.put(fits ? count : 0, 0, 0, 0, 0, 0, 0), { code: 'TLM_INVARIANT_BROKEN' })
    if (isGivenUp) return
    this.#producer.publish()
    assert.throws(() => this.#producer.put(0, 0, 0, 0, 0, 0, 0), { code: 'TLM_INVARIANT_BROKEN' })
    if (fits) this.#queue.push(...samples)
  }

  #take(max: number): void {
    const expected = this.#queue.slice(this.#drained, this.#drained + max)
    const taken = this.#consumer.take(max)
    const seen = Array.from({ length: taken }, (_, i) => [
      this.#consumer.seriesAt(i),
      this.#consumer.valueAt(i),
      this.#consumer.takenAtUsAt(i),
      this.#consumer.sequenceAt(i),
    ])
    assert.deepEqual(
      seen,
      expected.map(({ series, value, takenAtUs, sequence }) => [series, value, takenAtUs, sequence]),
    )
    this.#drained += expected.length
  }

  #drain(max: number): void {
    const expected = this.#queue.slice(this.#drained, this.#drained + max)
    assert.equal(this.#consumer.drain(this.#rows, max), expected.length)
    assert.deepEqual(readRows(this.#rows), expected)
    this.#drained += expected.length
  }

  #release(count: number): void {
    this.#consumer.release(count)
    this.#queue.splice(0, count)
    this.#drained -= count
    this.#released += count
  }
}

function writeRow(columns: SampleColumns, row: number, sample: Sample): void {
  columns.series[row] = sample.series
  columns.values[row] = sample.value
  columns.takenAtUs[row] = sample.takenAtUs
  columns.sequences[row] = sample.sequence
  columns.qualities[row] = sample.quality
  columns.priorities[row] = sample.priority
  if (sample.raw !== undefined) columns.raw.set(row, sample.raw)
}

function readRows(columns: SampleColumns): Sample[] {
  return Array.from({ length: columns.count }, (_, row) => ({
    series: columns.series[row],
    value: columns.values[row],
    takenAtUs: columns.takenAtUs[row],
    sequence: columns.sequences[row],
    quality: columns.qualities[row] as Sample['quality'],
    priority: columns.priorities[row] as Sample['priority'],
    raw: columns.raw.get(row),
  }))
}

test('the ring does what a plain queue does, under any mix of calls, restarts and start index', () => {
  fc.assert(
    fc.property(startIndex, fc.array(action, { minLength: 20, maxLength: 120, size: 'max' }), (start, actions) => {
      const ring = new RingAndModel(start)
      for (const step of actions) ring.apply(step)
    }),
    { numRuns: 400 },
  )
})
