import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  addToSketch,
  mergeSketch,
  quantiles,
  RELATIVE_ERROR,
  relativeError,
  SKETCH_WORDS,
  saveSketch,
} from '#workers/state/quantile-sketch'
import { RowReader, RowWriter } from '#workers/state/row-bytes'
import { ShardMemory } from '#workers/state/shard-memory'

const SAMPLES = 100_000
const QUANTILES = Array.from({ length: 1001 }, (_, i) => i / 1000)

/** mulberry32 */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

const normal = (random: () => number) => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
const DISTRIBUTIONS: Record<string, (random: () => number) => number> = {
  uniform: (random) => random() * 100,
  exponential: (random) => -Math.log(1 - random()),
  lognormal: (random) => Math.exp(normal(random) * 2),
  pareto: (random) => (1 - random()) ** -1.5,
  'normal around zero': normal,
  'negative and zero': (random) => (random() < 0.1 ? 0 : -Math.exp(normal(random))),
}

function newSketch(): ShardMemory {
  const memory = ShardMemory.create(SKETCH_WORDS, 1)
  memory.addSeries(new Uint16Array(3))
  return memory
}

function sketchOf(values: Float64Array): ShardMemory {
  const memory = newSketch()
  addToSketch(memory, 0, values, 0, values.length)
  return memory
}

function saved(memory: ShardMemory): Uint8Array {
  const row = new RowWriter()
  saveSketch(memory, 0, row)
  return row.take()
}

function worstError(memory: ShardMemory, values: Float64Array): number {
  const sorted = values.toSorted()
  const found = quantiles(memory, 0, sorted.length, QUANTILES)
  assert.equal(found.length, QUANTILES.length)
  return Math.max(
    ...QUANTILES.map((quantile, i) => {
      const exact = sorted[Math.floor(quantile * (sorted.length - 1))]
      return exact === 0 ? Math.abs(found[i]) : Math.abs(found[i] - exact) / Math.abs(exact)
    }),
  )
}

for (const [name, draw] of Object.entries(DISTRIBUTIONS)) {
  const random = randomFrom(7)
  const values = Float64Array.from({ length: SAMPLES }, () => draw(random))

  test(`1001 quantiles of a ${name} distribution are within the relative error`, () => {
    const memory = sketchOf(values)
    assert.equal(relativeError(memory, 0), RELATIVE_ERROR)
    const worst = worstError(memory, values)
    assert.ok(worst <= RELATIVE_ERROR, `worst error ${worst}`)
  })

  test(`parts of a ${name} distribution merge to the sketch of the whole, bin for bin`, () => {
    const parts = Array.from({ length: 7 }, (_, part) => values.filter((_, i) => i % 7 === part))
    const merged = newSketch()
    for (const part of parts.toReversed()) mergeSketch(merged, 0, new RowReader(saved(sketchOf(part))))
    assert.deepEqual(saved(merged), saved(sketchOf(values)))
  })
}

test('a range too wide for the bins is collapsed evenly, says so, and still keeps what it promises', () => {
  const random = randomFrom(3)
  const values = Float64Array.from({ length: SAMPLES }, () => (random() - 0.5) * 10 ** (random() * 200 - 100))
  const memory = sketchOf(values)
  const promised = relativeError(memory, 0)
  assert.ok(promised > RELATIVE_ERROR && promised < 0.5, `promised ${promised}`)
  assert.ok(worstError(memory, values) <= promised * (1 + 1e-9))
})

test('a collapsed sketch does not depend on the order of samples, nor on parts that were collapsed less', () => {
  const random = randomFrom(4)
  const values = Float64Array.from({ length: 3000 }, () => (random() - 0.5) * 10 ** (random() * 60 - 30))
  const whole = saved(sketchOf(values))
  assert.deepEqual(saved(sketchOf(values.toReversed())), whole)
  const ascending = values.toSorted()
  assert.deepEqual(saved(sketchOf(ascending)), whole)
  for (const [left, right] of [
    [ascending.subarray(0, 1000), ascending.subarray(1000)],
    [ascending.subarray(1000), ascending.subarray(0, 1000)],
  ]) {
    const merged = sketchOf(left)
    mergeSketch(merged, 0, new RowReader(saved(sketchOf(right))))
    assert.deepEqual(saved(merged), whole)
  }
})

test('the smallest and the largest numbers there are have their bins, subnormal ones count as zero', () => {
  const values = Float64Array.of(
    -Number.MAX_VALUE,
    -1,
    -(2 ** -1022),
    -Number.MIN_VALUE,
    0,
    2 ** -1022,
    Number.MAX_VALUE,
  )
  const memory = sketchOf(values)
  const found = quantiles(memory, 0, 7, [0, 1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1])
  assert.equal(found[3], 0)
  assert.equal(found[4], 0)
  for (const index of [1, 2, 5]) assert.ok(Math.abs(found[index] / values[index] - 1) <= relativeError(memory, 0))
})

test('bytes that are no sketch are refused', () => {
  const row = new RowWriter()
  row.integer(0)
  row.integer(0)
  row.integer(1_000_000)
  assert.throws(() => mergeSketch(newSketch(), 0, new RowReader(row.take())), RangeError)
  assert.throws(() => mergeSketch(newSketch(), 0, new RowReader(new Uint8Array(0))), RangeError)
})
