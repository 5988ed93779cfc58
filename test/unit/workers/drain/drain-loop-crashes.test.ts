import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DrainBench, Killed } from '#test/support/drain-bench'
import type { StoreMood } from '#test/support/memory-store'

const SAMPLES = 60

/** All moments of a run at which a worker may end, in order. */
async function stepsOfARun(prepare: (bench: DrainBench) => void): Promise<string[]> {
  const bench = new DrainBench()
  prepare(bench)
  const steps: string[] = []
  await bench.runWorker((step) => steps.push(step))
  return steps
}

function killAt(moment: number): (step: string) => void {
  let left = moment
  return (step) => {
    if (left-- === 0) throw new Killed(step)
  }
}

function assertExactlyOnce(bench: DrainBench, where: string): void {
  assert.deepEqual(bench.stored(), bench.expected(), where)
  const { samplesDelivered, samplesRolledBack, settledIndex } = bench.totals
  assert.deepEqual([samplesDelivered, samplesRolledBack], [bench.published, 0], where)
  assert.equal(bench.producer.backlog, 0, where)
  assert.equal(settledIndex, bench.producer.position, where)
}

describe('a drain worker that ends at any step', () => {
  it('leaves a successor that stores and counts every sample exactly once', async () => {
    const steps = await stepsOfARun((bench) => bench.publish(SAMPLES))
    const named = new Set(steps)
    for (const step of ['drained', 'cut', 'seal: entry half written', 'seal: entry written', 'sealed', 'sent']) {
      assert.ok(named.has(step), `the run passes "${step}"`)
    }
    for (const step of ['settle: history written', 'settle: totals half written', 'settled', 'released']) {
      assert.ok(named.has(step), `the run passes "${step}"`)
    }
    for (let moment = 0; moment < steps.length; moment++) {
      const bench = new DrainBench()
      bench.publish(SAMPLES)
      assert.equal(await bench.runWorker(killAt(moment)), true)
      bench.publish(7)
      await bench.runWorker()
      assertExactlyOnce(bench, `killed at ${moment}, "${steps[moment]}"`)
    }
  })

  it('may have a successor that ends at any step too', async () => {
    const { length } = await stepsOfARun((bench) => bench.publish(SAMPLES))
    for (let first = 0; first < length; first += 3) {
      for (let second = 0; second < length; second += 2) {
        const bench = new DrainBench()
        bench.publish(SAMPLES)
        await bench.runWorker(killAt(first))
        bench.publish(3)
        await bench.runWorker(killAt(second))
        await bench.runWorker()
        assertExactlyOnce(bench, `killed at ${first}, then at ${second}`)
      }
    }
  })

  it('is no worse when the store fails meanwhile, stores half, or loses its replies', async () => {
    for (const mood of ['away', 'reply lost', 'half', 'full'] satisfies StoreMood[]) {
      for (let moment = 0; moment < 90; moment++) {
        const bench = new DrainBench()
        bench.publish(SAMPLES)
        bench.store.mood = () => (bench.store.calls % 3 === 2 ? mood : 'well')
        await bench.runWorker(killAt(moment))
        await bench.runWorker()
        assertExactlyOnce(bench, `${mood}, killed at ${moment}`)
      }
    }
  })

  it('counts what the store lost once, also when it ends while it notes that', async () => {
    const prepare = async (bench: DrainBench) => {
      bench.publish(SAMPLES)
      await bench.runWorker()
      bench.store.goBackTo(4)
      bench.publish(30)
    }
    const probe = new DrainBench()
    await prepare(probe)
    const steps: string[] = []
    await probe.runWorker((step) => steps.push(step))
    assert.ok(steps.includes('roll back: loss computed') && steps.includes('roll back: loss written'))
    for (let moment = 0; moment < steps.length; moment++) {
      const bench = new DrainBench()
      await prepare(bench)
      await bench.runWorker(killAt(moment))
      await bench.runWorker()
      const inStore = bench.stored().flat().length
      const { samplesDelivered, samplesRolledBack } = bench.totals
      const where = `killed at ${moment}, "${steps[moment]}"`
      assert.equal(samplesDelivered, inStore, where)
      assert.equal(samplesDelivered + samplesRolledBack, bench.published, where)
      assert.ok(samplesRolledBack > 0, where)
    }
  })
})
