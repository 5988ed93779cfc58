import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { type BatchSample, batchOf } from '#test/support/batches'
import { repositoryFile } from '#test/support/repository'
import { ShardOwner, specOf } from '#test/support/shard-owner'

const TYPE = 'telemetry.aggregate'
const EXACT = { sizes_ms: ['10s'], out_of_orderness_ms: 0, allowed_lateness_ms: 0 }

/** Samples at these seconds, with the second as the value. */
function atSeconds(...seconds: readonly number[]): BatchSample[] {
  return seconds.map((second) => ({ value: second, takenAtUs: Math.round(second * 1e6) }))
}

/** What was told, window by window: `[start..end) n=count rev=revision`. */
function told(owner: ShardOwner): string[] {
  return owner.findings.map(
    ({ body, revision }) =>
      `[${Number(body.startUs) / 1e6}, ${Number(body.endUs) / 1e6}) n=${body.count} rev=${revision}`,
  )
}

function ownerOf(options: Record<string, unknown>): ShardOwner {
  return new ShardOwner([specOf(TYPE, options)])
}

test('a window has its start and not its end, also before 1970', () => {
  const owner = ownerOf(EXACT)
  owner.run([batchOf(atSeconds(-1, 0, 9.999, 10, 30))])
  assert.deepEqual(told(owner), ['[-10, 0) n=1 rev=0', '[0, 10) n=2 rev=0', '[10, 20) n=1 rev=0'])
})

test('a window fires when the watermark reaches its end, again for late samples, and is gone after the lateness', () => {
  const owner = ownerOf({ sizes_ms: ['10s'], out_of_orderness_ms: '2s', allowed_lateness_ms: '5s' })
  const told1 = (second: number) => {
    owner.findings.length = 0
    const { results } = owner.run([batchOf(atSeconds(second))])
    return { told: told(owner), rejected: results[0].rejected }
  }
  const nothing = { told: [], rejected: {} }
  assert.deepEqual(told1(1), nothing)
  assert.deepEqual(told1(8), nothing)
  assert.deepEqual(told1(12), { told: ['[0, 10) n=2 rev=0'], rejected: {} })
  assert.deepEqual(told1(9), { told: ['[0, 10) n=3 rev=1'], rejected: {} })
  assert.deepEqual(told1(17), nothing)
  assert.deepEqual(told1(5), { told: [], rejected: { late: 1 } })
  assert.deepEqual(told1(22), { told: ['[10, 20) n=2 rev=0'], rejected: {} })
})

test('a window that nobody opened in time still fires while the lateness lasts', () => {
  const owner = ownerOf({ sizes_ms: ['10s'], allowed_lateness_ms: '30s' })
  owner.run([batchOf(atSeconds(35)), batchOf(atSeconds(4))])
  assert.deepEqual(told(owner), ['[0, 10) n=1 rev=0'])
})

test('late samples of one run are told once, with the revision that counts each', () => {
  const owner = ownerOf({ sizes_ms: ['10s'], allowed_lateness_ms: '30s' })
  owner.run([batchOf(atSeconds(1, 12, 2, 3, 4))])
  assert.deepEqual(told(owner), ['[0, 10) n=4 rev=3'])
})

test('a window holds moments, extremes, and first and last by event time', () => {
  const owner = ownerOf({ ...EXACT, out_of_orderness_ms: '5s' })
  owner.run([batchOf(atSeconds(3, 1, 6, 2, 20))])
  const { unit, mean, standardDeviation, min, max, first, last } = owner.bodies('aggregate/')[0]
  const expected = { unit: 'u', mean: 3, standardDeviation: Math.sqrt(14 / 3), min: 1, max: 6, first: 1, last: 6 }
  assert.deepEqual({ unit, mean, standardDeviation, min, max, first, last }, expected)
  assert.equal(owner.findings[0].key, 'aggregate/d/c/10000000/0')
})

test('several sizes each have their windows; a sample is late once, whatever the sizes that refuse it', () => {
  const owner = ownerOf({ sizes_ms: ['1s', '2s', '10s'], allowed_lateness_ms: 0 })
  const { results } = owner.run([batchOf(atSeconds(0, 1, 2, 3, 5, 0.5))])
  assert.deepEqual(results[0].rejected, { late: 1 })
  assert.deepEqual(told(owner).sort(), [
    '[0, 1) n=1 rev=0',
    '[0, 2) n=2 rev=0',
    '[1, 2) n=1 rev=0',
    '[2, 3) n=1 rev=0',
    '[2, 4) n=2 rev=0',
    '[3, 4) n=1 rev=0',
  ])
})

test('one sample from the far future closes nothing', () => {
  const owner = ownerOf(EXACT)
  const year2099 = Date.UTC(2099, 0) * 1000
  const { results } = owner.run([batchOf([...atSeconds(1), { value: 0, takenAtUs: year2099 }, ...atSeconds(2, 12)])])
  assert.deepEqual(results[0].rejected, { clock_jump: 1 })
  assert.deepEqual(told(owner), ['[0, 10) n=2 rev=0'])
})

test('a clock that was set, forward or back, is believed after ten samples that agree, and windows go on', () => {
  for (const setTo of [Date.UTC(2099, 0) / 1000, -1e9]) {
    const owner = ownerOf(EXACT)
    const after = Array.from({ length: 12 }, (_, i) => setTo + i * 0.1)
    const { results } = owner.run([batchOf(atSeconds(1, 2, ...after))])
    assert.deepEqual(results[0].rejected, { clock_jump: 9 })
    assert.deepEqual(told(owner), ['[0, 10) n=2 rev=0'])
    owner.run([batchOf(atSeconds(setTo + 70))])
    assert.equal(owner.findings.length, 2)
  }
})

test('strays that do not agree with each other are never believed', () => {
  const owner = ownerOf(EXACT)
  const strays = Array.from({ length: 30 }, (_, i) => ({ value: 0, takenAtUs: 1e15 * (1 + (i % 3)) }))
  const { results } = owner.run([batchOf([...atSeconds(1), ...strays, ...atSeconds(2, 12)])])
  assert.deepEqual(results[0].rejected, { clock_jump: 30 })
  assert.deepEqual(told(owner), ['[0, 10) n=2 rev=0'])
})

test('a first sample with a wrong clock does not spoil the series', () => {
  const owner = ownerOf(EXACT)
  const seconds = Array.from({ length: 40 }, (_, i) => i)
  const { results } = owner.run([batchOf([{ value: 0, takenAtUs: 4e15 }, ...atSeconds(...seconds)])])
  assert.deepEqual(results[0].rejected, { clock_jump: 9 })
  assert.deepEqual(told(owner).slice(1), ['[0, 10) n=1 rev=0', '[10, 20) n=10 rev=0', '[20, 30) n=10 rev=0'])
})

for (const [file, minutesBack] of [
  ['nab-ambient-head.csv', 0],
  ['nab-ambient-head.csv', 55],
] as const) {
  test(`${file}, going back ${minutesBack} minutes half way and with every tenth row twice: counts are conserved`, () => {
    const rows = readFileSync(repositoryFile(`test/fixtures/recordings/${file}`), 'utf8')
      .trim()
      .split('\n')
      .slice(1)
    const samples = rows.flatMap((row, index): BatchSample[] => {
      const [time, value] = row.split(',')
      const backMs = index > rows.length / 2 ? minutesBack * 60_000 : 0
      const sample = { value: Number(value), takenAtUs: (Date.parse(`${time.replace(' ', 'T')}Z`) - backMs) * 1000 }
      return index % 10 === 0 ? [sample, sample] : [sample]
    })
    const gap = { value: 70, takenAtUs: samples.at(-1)!.takenAtUs + 10_440 * 60e6 }
    const owner = ownerOf({ sizes_ms: ['30m'], allowed_lateness_ms: '10m' })
    const { results } = owner.run([batchOf([...samples, gap])], true)
    const counts = new Map(owner.findings.map(({ key, body }) => [key, body.count as number]))
    const inWindows = [...counts.values()].reduce((sum, count) => sum + count, 0)
    const { late = 0, ...others } = results[0].rejected
    assert.deepEqual(others, {})
    assert.equal(inWindows + late + 1, samples.length + 1) // the sample after the gap stands in a window still open
  })
}
