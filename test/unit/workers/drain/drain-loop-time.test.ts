import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BatchDecoder } from '#core/codec/batch-codec'
import { createWallMemory, WallWriter } from '#core/time/wall-memory'
import { DrainBench, Killed } from '#test/support/drain-bench'

const WALL_US = Date.UTC(2026, 0) * 1000
const HUB_US = 7_000_000
const SAMPLES = 60
/** Time between two samples of the bench. */
const APART_US = 100

/** @param knots of the mapping: with two, the samples of one chunk do not all move by the same */
function benchWith(takenAtUs = HUB_US, knots = 1) {
  const wall = createWallMemory()
  const bench = new DrainBench({ wall, takenAtUs })
  const writer = new WallWriter(wall)
  const setWall = (offsetUs: number) => {
    const slewed = { atUs: HUB_US + 3000, offsetUs: offsetUs + 1 }
    writer.write([{ atUs: 0, offsetUs }, ...(knots === 2 ? [slewed] : [])])
  }
  setWall(WALL_US)
  return { bench, writer, setWall }
}

/** What the store has, by device, in order. */
function instantsOf(bench: DrainBench): number[][] {
  const decoder = new BatchDecoder()
  const instants = new Map(bench.series.map(({ device }) => [device, [] as number[]]))
  for (const { body } of bench.store.entries) {
    const batch = decoder.decode(body)
    for (let row = 0; row < batch.count; row++) {
      instants.get(batch.series[batch.seriesIndex[row]].device)!.push(batch.takenAtUs[row])
    }
  }
  return [...instants.values()]
}

function expected(bench: DrainBench, count: number, offsetUs: number): number[][] {
  const { length } = bench.series
  return bench.series.map((_, device) =>
    Array.from({ length: count / length }, (_, n) => HUB_US + offsetUs + (device + n * length) * APART_US),
  )
}

describe('the drain loop', () => {
  it('gives samples the wall time that is known when it seals them', async () => {
    const { bench, setWall } = benchWith()
    bench.publish(SAMPLES)
    setWall(WALL_US + 5_000_000)
    await bench.runWorker()
    assert.deepEqual(instantsOf(bench), expected(bench, SAMPLES, WALL_US + 5_000_000))
  })

  it('does not touch instants that are wall time already', async () => {
    const { bench } = benchWith(WALL_US)
    bench.publish(SAMPLES)
    await bench.runWorker()
    assert.deepEqual(
      instantsOf(bench).flat().sort(),
      Array.from({ length: SAMPLES }, (_, n) => WALL_US + n * APART_US),
    )
  })

  for (const knots of [1, 2]) {
    const title = `keeps the instants of what it has sealed, whenever it ends and however the clock is set (${knots} knots)`
    it(title, () => staysAsSealed(knots))
  }

  async function staysAsSealed(knots: number) {
    const steps: string[] = []
    const whole = benchWith(HUB_US, knots).bench
    whole.publish(SAMPLES)
    await whole.runWorker((step) => steps.push(step))
    assert.ok(steps.includes('stamped'))
    for (const [moment, name] of steps.entries()) {
      const { bench, setWall } = benchWith(HUB_US, knots)
      bench.publish(SAMPLES)
      let left = moment
      const isKilled = await bench.runWorker((step) => {
        if (left-- === 0) throw new Killed(step)
      })
      assert.ok(isKilled)
      // Further than a delta of a batch is wide: other instants would be cut otherwise.
      setWall(WALL_US + 86_400_000_000)
      bench.publish(15)
      await bench.runWorker()
      assert.deepEqual(bench.stored(), bench.expected(), name)
      const all = instantsOf(bench)
      assert.ok(
        all.flat().every((instant) => instant >= WALL_US),
        name,
      )
      for (const instants of all) {
        assert.deepEqual(
          instants,
          instants.toSorted((a, b) => a - b),
          `${name}: in order over a step forward`,
        )
      }
    }
  }

  it('seals nothing while the clock is waited for, but when the ring is half full or it is told to stop', async () => {
    const { bench, writer } = benchWith()
    writer.isHeld = true
    bench.publish(20)
    const run = bench.runWorker(undefined, false)
    await new Promise((resolve) => setTimeout(resolve, 100))
    assert.equal(bench.store.entries.length, 0)
    bench.publish(12)
    while (bench.store.entries.length === 0) await new Promise((resolve) => setImmediate(resolve))
    writer.isHeld = false
    bench.publish(5)
    while (bench.producer.backlog > 0) await new Promise((resolve) => setImmediate(resolve))
    writer.isHeld = true
    bench.publish(5)
    bench.loop.drainAndStop()
    await run
    assert.deepEqual(bench.stored(), bench.expected())
  })
})
