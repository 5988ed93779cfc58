import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { seededRandom } from '#test/support/seeded-random'
import { HardwareRig } from './rig/rig.js'
import { STANDARD_BUSES, slavePlan } from './rig/standard-rig.js'

/** `HOTPLUG_CYCLES=100 node --test dist/test/hardware/hotplug.test.js` for the long run. */
const CYCLES = Number(process.env.HOTPLUG_CYCLES ?? 6)
/** The cable is out for up to so long: long enough for pauses between tries to grow. Milliseconds. */
const LONGEST_OUT_MS = 4000
const P99_MS = 2000
const LIMIT_MS = 60_000

test(`a serial device is back in time after each of ${CYCLES} unplugs`, {
  timeout: CYCLES * 10_000 + 60_000,
}, async (t) => {
  const rig = await HardwareRig.start({ buses: STANDARD_BUSES, devices: [slavePlan(1, 'rs485')] })
  after(() => rig.close())
  await rig.wellFrom()
  const line = rig.lines.get('rs485')!
  const random = seededRandom(5)
  const backMs: number[] = []
  for (let cycle = 0; cycle < CYCLES; cycle++) {
    await line.unplug()
    await sleep(random() * LONGEST_OUT_MS)
    const heard = new Promise<boolean>((resolve) => {
      const timer = setTimeout(resolve, LIMIT_MS, false)
      line.wire.onHeard = () => {
        clearTimeout(timer)
        resolve(true)
      }
    })
    const startedMs = performance.now()
    await line.plug()
    assert.ok(await heard, `The hub did not come back in ${LIMIT_MS} ms after unplug ${cycle + 1}.`)
    backMs.push(performance.now() - startedMs)
    // It must be well before the next time, so that each is one of its own.
    await rig.wellFrom()
  }
  backMs.sort((a, b) => a - b)
  const percentile = (share: number) => backMs[Math.min(backMs.length - 1, Math.floor(share * backMs.length))]!
  t.diagnostic(`back after p50 ${percentile(0.5).toFixed(0)} ms, p99 ${percentile(0.99).toFixed(0)} ms`)
  assert.ok(percentile(0.99) < P99_MS)
  const { imbalance, stored } = await rig.end()
  assert.equal(imbalance, 0)
  assert.deepEqual(stored.strays, [])
})
