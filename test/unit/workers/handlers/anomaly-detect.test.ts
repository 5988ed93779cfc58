import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type BatchSample, batchOf } from '#test/support/batches'
import { ShardOwner, specOf } from '#test/support/shard-owner'

const TYPE = 'telemetry.anomaly_detect'

function series(length: number, value: (index: number) => number): BatchSample[] {
  return Array.from({ length }, (_, i) => ({ value: value(i), takenAtUs: 1.7e15 + i * 1000, sequence: i }))
}

/** A noise of scale 1 that is the same in every run. */
function noise(index: number): number {
  let x = Math.imul(index + 1, 0x9e3779b1)
  let sum = 0
  for (let part = 0; part < 12; part++) {
    x = Math.imul(x ^ (x >>> 15), 0x85ebca6b + part * 2)
    sum += (x >>> 0) / 2 ** 32
  }
  return sum - 6
}

function findingsOf(samples: readonly BatchSample[], options: Record<string, unknown> = {}) {
  const owner = new ShardOwner([specOf(TYPE, options)])
  owner.run([batchOf(samples)], true)
  return owner.findings
}

test('a constant series and then one step gives a handful of findings, and the new level becomes normal', () => {
  const step = series(12_000, (i) => (i < 10_000 ? 20 : 35))
  const findings = findingsOf(step)
  assert.ok(findings.length >= 1 && findings.length <= 3, `${findings.length} findings`)
  assert.equal(findings[0].key, `anomaly/d/c/${1.7e15 + 10_000_000}/10000`)
  const settled = findingsOf(step, { threshold: 1, repeat_samples: 1, burst: 1000 })
  const last = settled.at(-1)?.atUs ?? 0
  assert.ok(last < 1.7e15 + 11_000_000, 'scores are still above 1 after 1000 samples of the new level')
})

test('a constant series at zero and then one step becomes normal too', () => {
  const findings = findingsOf(
    series(12_000, (i) => (i < 10_000 ? 0 : 1e6)),
    { repeat_samples: 10 },
  )
  assert.ok(findings.length >= 1 && findings.length <= 20, `${findings.length} findings`)
  assert.ok((findings.at(-1)?.atUs ?? 0) < 1.7e15 + 11_000_000)
})

test('noise alone is normal', () => {
  assert.deepEqual(findingsOf(series(50_000, (i) => 20 + noise(i))), [])
})

test('a spike is found once, says what was expected, and hardly moves what is expected', () => {
  const spikes = [5000, 5200, 5400]
  const findings = findingsOf(series(6000, (i) => 20 + noise(i) * 0.1 + (spikes.includes(i) ? 25 : 0)))
  assert.deepEqual(
    findings.map(({ atUs }) => (atUs - 1.7e15) / 1000),
    spikes,
  )
  for (const { body } of findings) {
    assert.ok(Math.abs((body.expected as number) - 20) < 0.5, `expected ${body.expected}`)
    assert.ok((body.score as number) > 50, `score ${body.score}`)
    assert.equal(body.unit, 'u')
  }
})

test('a jump between two common levels is found by its change', () => {
  const findings = findingsOf(series(3000, (i) => (i % 1000 < 500 ? i % 500 : 500 - (i % 500)) + (i === 2500 ? 60 : 0)))
  assert.ok(findings.some(({ body }) => body.component === 'change'))
})

test('nothing is judged before the warm-up is over', () => {
  const early = series(150, (i) => (i === 99 ? 1e6 : 20))
  assert.deepEqual(findingsOf(early), [])
  assert.equal(findingsOf(series(150, (i) => (i === 100 ? 1e6 : 20))).length, 1)
})

test('one absurd value does not make the detector blind for long', () => {
  const findings = findingsOf(series(4000, (i) => 20 + noise(i) * 0.1 + (i === 1000 ? 1e12 : i === 2500 ? 25 : 0)))
  assert.deepEqual(
    findings.map(({ atUs }) => (atUs - 1.7e15) / 1000),
    [1000, 2500],
  )
})

test('a series that stays anomalous is told of at a bounded rate, and how many samples went untold', () => {
  // Growing without end: each step is as surprising as the last.
  const samples = series(2000, (i) => (i < 200 ? 1 : Math.min(1e139, 2 ** (i - 199))))
  const findings = findingsOf(samples, { repeat_samples: 50, burst: 3 })
  assert.ok(findings.length <= 3 + 1800 / 50 && findings.length > 5, `${findings.length} findings`)
  assert.equal(findings[1].body.unreportedBefore, 49)
})

test('spikes that come and go quickly are bounded as well', () => {
  const samples = series(20_000, (i) => (i > 200 && i % 20 === 0 ? 1e3 * 1.01 ** (i / 20) : 1))
  const findings = findingsOf(samples, { repeat_samples: 100, burst: 5, smoothing: 0.0001 })
  assert.ok(findings.length <= 5 + 20_000 / 100, `${findings.length} findings`)
  assert.ok(findings.some(({ body }) => (body.unreportedBefore as number) > 0))
})

test('findings of a prefix are the prefix of the findings', () => {
  const samples = series(9000, (i) => 20 + noise(i) + (i % 701 === 700 ? 30 : 0))
  const whole = findingsOf(samples)
  const prefix = findingsOf(samples.slice(0, 5000))
  assert.ok(prefix.length > 3)
  assert.deepEqual(
    prefix.map(({ key, body }) => ({ key, body })),
    whole.slice(0, prefix.length).map(({ key, body }) => ({ key, body })),
  )
})

test('values and times that are no numbers, or beyond measure, are refused and leave no trace', () => {
  const good = series(500, (i) => 20 + noise(i))
  const bad = [Number.NaN, Number.POSITIVE_INFINITY, -1e300].map((value) => ({ value, takenAtUs: 1.7e15 }))
  const owner = new ShardOwner([specOf(TYPE)])
  const clean = new ShardOwner([specOf(TYPE)])
  clean.run([batchOf(good)], true)
  const reply = owner.run(
    [batchOf([...good.slice(0, 200), ...bad, { value: 1, takenAtUs: Number.NaN }, ...good.slice(200)])],
    true,
  )
  assert.deepEqual(reply.results[0].rejected, { unusable_value: 4 })
  assert.deepEqual(owner.rows, clean.rows)
})
