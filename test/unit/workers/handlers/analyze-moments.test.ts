import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { batchOf } from '#test/support/batches'
import { repositoryFile } from '#test/support/repository'
import { ShardOwner, specOf } from '#test/support/shard-owner'
import { HandlerSet } from '#workers/handlers/handler-set'
import { RowReader, RowWriter } from '#workers/state/row-bytes'
import { SeriesDirectory } from '#workers/state/series-directory'
import { ShardState } from '#workers/state/shard-state'

interface Certified {
  mean: number
  standardDeviation: number
  values: number[]
}

const SETS = ['PiDigits', 'Lottery', 'Lew', 'Mavro', 'Michelso', 'NumAcc1', 'NumAcc2', 'NumAcc3', 'NumAcc4']
/** Correct digits that binary64 allows: the decimal inputs of the last two are no binary fractions. */
const DEVIATION_DIGITS: Record<string, number> = { NumAcc3: 9, NumAcc4: 8 }

/** Two of the files come without NIST's head: the values certified at its site. */
const CERTIFIED: Record<string, Omit<Certified, 'values'>> = {
  Lottery: { mean: 518.95871559633, standardDeviation: 291.699727470969 },
  Lew: { mean: -177.435, standardDeviation: 277.332168044316 },
}

function readSet(name: string): Certified {
  const text = readFileSync(repositoryFile(`test/fixtures/strd/${name}.txt`), 'utf8')
  const certified = (label: RegExp) => Number(label.exec(text)?.[1])
  const lines = text.slice(text.search(/# Data\n|Data: Y/)).split('\n')
  return {
    mean: CERTIFIED[name]?.mean ?? certified(/ybar:\s*([-\d.]+)/),
    standardDeviation: CERTIFIED[name]?.standardDeviation ?? certified(/\ss:\s*([-\d.]+)/),
    values: lines.filter((line) => /^\s*-?\d/.test(line)).map(Number),
  }
}

/** Correct significant digits: -log10 of the relative error, at most 15. */
function correctDigits(found: number, certified: number): number {
  return found === certified ? 15 : Math.min(15, -Math.log10(Math.abs(found - certified) / Math.abs(certified)))
}

function summaryOf(owner: ShardOwner): Record<string, number> {
  return owner.bodies('analyze/').at(-1) as Record<string, number>
}

function samplesOf(values: readonly number[]) {
  return values.map((value, index) => ({ value, takenAtUs: 1.7e15 + index * 1e6 }))
}

for (const name of SETS) {
  const set = readSet(name)
  const deviationDigits = DEVIATION_DIGITS[name] ?? 12

  test(`mean and deviation of ${name} have the digits that NIST certifies`, () => {
    const owner = new ShardOwner([specOf('telemetry.analyze')])
    owner.run([batchOf(samplesOf(set.values))], true)
    const { count, mean, standardDeviation } = summaryOf(owner)
    assert.equal(count, set.values.length)
    assert.ok(correctDigits(mean, set.mean) >= 14, `mean ${mean}`)
    assert.ok(correctDigits(standardDeviation, set.standardDeviation) >= deviationDigits, `sd ${standardDeviation}`)
  })

  test(`parts of ${name} merged in any order have the same digits`, () => {
    for (const parts of [2, 3, 8]) {
      const saved = Array.from({ length: parts }, (_, part) =>
        saveAnalysis(set.values.filter((_, i) => i % parts === part)),
      )
      for (const order of [saved, saved.toReversed(), [...saved.slice(1), saved[0]]]) {
        const { count, mean, standardDeviation } = mergeAnalyses(order)
        assert.equal(count, set.values.length)
        assert.ok(correctDigits(mean, set.mean) >= 14, `mean ${mean}`)
        assert.ok(correctDigits(standardDeviation, set.standardDeviation) >= deviationDigits, `sd ${standardDeviation}`)
      }
    }
  })
}

test('sums of squares would fail the same sets: the digits are not there by luck', () => {
  for (const name of ['NumAcc3', 'NumAcc4']) {
    const { values, standardDeviation } = readSet(name)
    const sum = values.reduce((total, value) => total + value, 0)
    const squares = values.reduce((total, value) => total + value * value, 0)
    const naive = Math.sqrt((squares - (sum * sum) / values.length) / (values.length - 1))
    assert.ok(!(correctDigits(naive, standardDeviation) >= 8), `naive sd ${naive}`)
  }
})

test('a deviation and a slope of one sample are unknown, not zero', () => {
  const owner = new ShardOwner([specOf('telemetry.analyze')])
  owner.run([batchOf([{ value: 3, takenAtUs: 5 }])], true)
  const { standardDeviation, changePerSecond, p50, mean } = summaryOf(owner)
  assert.deepEqual(
    { standardDeviation, changePerSecond, p50, mean },
    { standardDeviation: null, changePerSecond: null, p50: 3, mean: 3 },
  )
})

test('the change per second is the slope of the least-squares line over event time', () => {
  const owner = new ShardOwner([specOf('telemetry.analyze')])
  const line = Array.from({ length: 1000 }, (_, i) => ({ value: 7 - 0.25 * i + (i % 2), takenAtUs: 1.7e15 + i * 1e6 }))
  owner.run([batchOf(line)], true)
  const times = line.map((_, i) => i)
  const timeMean = times.reduce((a, b) => a + b) / 1000
  const valueMean = line.reduce((sum, { value }) => sum + value, 0) / 1000
  const slope =
    line.reduce((sum, { value }, i) => sum + (i - timeMean) * (value - valueMean), 0) /
    times.reduce((sum, i) => sum + (i - timeMean) ** 2, 0)
  assert.ok(Math.abs(summaryOf(owner).changePerSecond - slope) < 1e-12)
})

test('extremes and first and last time do not depend on the order of arrival', () => {
  const owner = new ShardOwner([specOf('telemetry.analyze')])
  owner.run([batchOf([4, 1, 3, 2].map((n) => ({ value: n, takenAtUs: n * 10 })))], true)
  const { min, max, firstTakenAtUs, lastTakenAtUs } = summaryOf(owner)
  assert.deepEqual(
    { min, max, firstTakenAtUs, lastTakenAtUs },
    { min: 1, max: 4, firstTakenAtUs: 10, lastTakenAtUs: 40 },
  )
})

test('the revision goes on growing when saved state no longer counts', () => {
  const owner = new ShardOwner([specOf('telemetry.analyze')])
  owner.run([batchOf(samplesOf([1, 2, 3]))], true)
  const [name, row] = [...owner.rows][0]
  const foreign = row.slice()
  foreign[0] = 99 // a version of tomorrow
  const successor = new ShardOwner([specOf('telemetry.analyze')])
  successor.rows.set(name, foreign)
  const reply = successor.run([batchOf(samplesOf([5]))], true)
  assert.deepEqual(reply.restarted, { 'telemetry.analyze': 1 })
  assert.equal(reply.findings[0].revision, 4)
  assert.equal(reply.findings[0].body.count, 1)
})

function newState() {
  const handlers = new HandlerSet([specOf('telemetry.analyze')])
  const state = new ShardState(handlers.createMemory(), new SeriesDirectory(), handlers.initialise)
  state.slotOf({ device: 'd', channel: 'c', unit: '' })
  return { handlers, state }
}

/** The saved analysis of the values, as its part of a row. */
function saveAnalysis(values: readonly number[]): Uint8Array {
  const owner = new ShardOwner([specOf('telemetry.analyze')])
  const reply = owner.run([batchOf(samplesOf(values))])
  const { handlers } = newState()
  const writer = new RowWriter()
  handlers.analyze?.save(handlers.attach(reply.state), 0, writer)
  return writer.take()
}

function mergeAnalyses(parts: readonly Uint8Array[]): { count: number; mean: number; standardDeviation: number } {
  const { handlers, state } = newState()
  for (const part of parts) handlers.analyze?.load(state.memory, 0, new RowReader(part))
  const [count, mean, , squares] = state.memory.records.subarray(handlers.analyze?.offset)
  return { count, mean, standardDeviation: Math.sqrt(squares / (count - 1)) }
}
