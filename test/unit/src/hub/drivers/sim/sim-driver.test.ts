import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Clock } from '#core/time/clock'
import { createSimDriver } from '#src/hub/drivers/sim/sim-driver'
import { SIM_DEFAULTS, SIM_FAULT_DEFAULTS, type SimFaults, type SimOptions } from '#src/hub/drivers/sim/sim-options'
import { RecordingSink } from '#test/support/recording-sink'

const START_US = 1_700_000_000_000_000

/** Goes on by `stepMs` whenever it is asked: time passes without waiting. */
function steppingClock(stepMs: number): Clock {
  let ms = 0
  return { nowUs: () => START_US + Math.round(ms * 1000), monotonicMs: () => (ms += stepMs) }
}

async function runSim(options: Partial<SimOptions>, faults: Partial<SimFaults> = {}, clock = steppingClock(10_000)) {
  const sink = new RecordingSink()
  const all = { ...SIM_DEFAULTS, ...options, faults: { ...SIM_FAULT_DEFAULTS, ...faults } }
  const driver = createSimDriver(all, { device: 'sim', sink, clock, everyMs: 100 })
  await driver.open()
  const outcome = await driver.run(new AbortController().signal).catch((error: unknown) => error)
  await driver.close()
  return { sink, outcome, values: sink.readings.map(({ values }) => Object.values(values)[0]) }
}

test('the original wave is 42 + sin(n/10) under noise of 0.1', async () => {
  const { values, sink, outcome } = await runSim({ readings: 20_000, intervalMs: 1 })
  assert.equal(outcome, 'ended')
  assert.deepEqual(sink.channels, [{ channel: 'value', unit: 'arb.units' }])
  const noise = values.map((value, n) => value - (42 + Math.sin(n / 10)))
  const mean = noise.reduce((sum, one) => sum + one, 0) / noise.length
  const deviation = Math.sqrt(noise.reduce((sum, one) => sum + (one - mean) ** 2, 0) / noise.length)
  assert.ok(Math.abs(mean) < 0.003, `mean ${mean}`)
  assert.ok(Math.abs(deviation - 0.1) < 0.003, `deviation ${deviation}`)
  assert.ok(noise.every((one) => Math.abs(one) < 0.5))
})

test('the same seed gives the same values, another seed gives others', async () => {
  const first = await runSim({ readings: 100, seed: 7 })
  assert.deepEqual((await runSim({ readings: 100, seed: 7 })).values, first.values)
  assert.notDeepEqual((await runSim({ readings: 100, seed: 8 })).values, first.values)
})

test('stamps lie evenly on the schedule, however late the readings are made', async () => {
  const { sink } = await runSim({ readings: 3000, samplesPerSecond: 4000, channels: 4 }, {}, steppingClock(777))
  const steps = sink.readings.slice(1).map(({ takenAtUs }, i) => takenAtUs - sink.readings[i].takenAtUs)
  assert.deepEqual([...new Set(steps)], [1000])
  assert.deepEqual(Object.keys(sink.readings[0].values), ['value-1', 'value-2', 'value-3', 'value-4'])
})

test('a full ring loses nothing: the reading is offered again as it was', async () => {
  const sink = new RecordingSink()
  sink.capacity = 10
  const options = { ...SIM_DEFAULTS, readings: 100, intervalMs: 1 }
  const driver = createSimDriver(options, { device: 'sim', sink, clock: steppingClock(5), everyMs: 100 })
  await driver.open()
  const done = driver.run(new AbortController().signal)
  await sink.until(() => sink.refusals > 0)
  sink.makeRoom(1000)
  assert.equal(await done, 'ended')
  const free = await runSim({ readings: 100, intervalMs: 1 }, {}, steppingClock(5))
  assert.deepEqual(
    sink.readings.map(({ values }) => values.value),
    free.values,
  )
})

test('an abort ends the run, also while the ring is full', async () => {
  const sink = new RecordingSink()
  sink.capacity = 0
  const driver = createSimDriver(SIM_DEFAULTS, { device: 'sim', sink, clock: steppingClock(50), everyMs: 100 })
  await driver.open()
  const abort = new AbortController()
  const done = driver.run(abort.signal)
  await sink.until(() => sink.refusals > 0)
  abort.abort()
  assert.equal(await done, 'stopped')
})

test('every reading that a fault loses is counted by its reason', async () => {
  const faults = { mode: 'both', dropoutProbability: 0.01, dropoutReadings: 7, maxConsecutiveErrors: 0 } as const
  const { sink } = await runSim({ readings: 10_000, intervalMs: 1 }, faults)
  const lost = [...sink.rejects.values()].reduce((sum, count) => sum + count, 0)
  assert.equal(sink.readings.length + lost, 10_000)
  for (const reason of ['sensor_error', 'bus_timeout', 'dropout']) {
    const count = sink.rejects.get(reason) ?? 0
    assert.ok(count > 500 && count < 1500, `${reason}: ${count}`)
  }
})

test('each mode of the original loses readings in its own way only', async () => {
  const sensor = await runSim(
    { readings: 1000, intervalMs: 1 },
    { mode: 'random-sensor-errors', maxConsecutiveErrors: 0 },
  )
  assert.deepEqual([...sensor.sink.rejects.keys()], ['sensor_error'])
  const bus = await runSim(
    { readings: 1000, intervalMs: 1 },
    { mode: 'communication-failure', maxConsecutiveErrors: 0 },
  )
  assert.deepEqual([...bus.sink.rejects.keys()], ['bus_timeout'])
  assert.equal((await runSim({ readings: 1000, intervalMs: 1 })).sink.rejects.size, 0)
})

test('five errors in a row, and the fault after so many readings, fail the device for good', async () => {
  const broken = await runSim({ readings: 100 }, { mode: 'random-sensor-errors', errorProbability: 1 })
  assert.deepEqual((broken.outcome as { details: object }).details, { latched: true })
  assert.equal(broken.sink.rejects.get('sensor_error'), 5)
  const worn = await runSim({ readings: 100 }, { afterReadings: 10 })
  assert.deepEqual((worn.outcome as { details: object }).details, { latched: true })
  assert.equal(worn.sink.readings.length, 10)
})

test('a stuck sensor repeats itself, and a spike stands out', async () => {
  const stuck = await runSim({ readings: 1000, intervalMs: 1 }, { stuckProbability: 0.05, stuckReadings: 5 })
  const repeats = stuck.values.filter((value, i) => value === stuck.values[i - 1]).length
  assert.ok(repeats > 100 && repeats % 5 <= 4, `${repeats} repeats`)
  const spiky = await runSim({ readings: 1000, intervalMs: 1 }, { spikeProbability: 0.05, spikeSize: 10 })
  const spikes = spiky.values.filter((value) => Math.abs(value - 42) > 5).length
  assert.ok(spikes > 20 && spikes < 100, `${spikes} spikes`)
})

test('the profiles stay within what their quantity does in a room', async () => {
  const ranges = { temperature: [15, 27], humidity: [30, 70], pressure: [1000, 1026] } as const
  for (const [profile, [low, high]] of Object.entries(ranges)) {
    const options = { profile: profile as keyof typeof ranges, readings: 2000, intervalMs: 600_000 }
    const { values } = await runSim(options, {}, steppingClock(6_000_000))
    assert.ok(Math.min(...values) > low && Math.max(...values) < high, profile)
    assert.ok(Math.max(...values) - Math.min(...values) > (high - low) / 3, `${profile} moves`)
  }
})

test('options out of range are refused by name', () => {
  const context = { device: 'sim', sink: new RecordingSink(), clock: steppingClock(1), everyMs: 100 }
  for (const wrong of [{ channels: 0 }, { channels: 1.5 }, { samplesPerSecond: 2e7 }, { intervalMs: 0 }]) {
    const name = Object.keys(wrong)[0]
    assert.throws(() => createSimDriver({ ...SIM_DEFAULTS, ...wrong }, context), {
      code: 'TLM_OPTIONS_INVALID',
      message: new RegExp(name),
    })
  }
})
