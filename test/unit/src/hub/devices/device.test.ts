import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TelemetryError } from '#core/errors/telemetry-error'
import type { Clock } from '#core/time/clock'
import { Device, type DeviceTransition } from '#src/hub/devices/device'
import { DEVICE_POLICY_DEFAULTS, type DevicePolicy } from '#src/hub/devices/device-policy'
import type { Driver } from '#src/hub/drivers/driver'

const lost = (details = {}) => new TelemetryError('TLM_BUS_UNAVAILABLE', 'The bus was lost.', details)

/** A driver that does what the script says at each open; after the script it measures until stopped. */
class ScriptedDriver implements Driver {
  opens = 0
  closes = 0
  readonly script: (() => Promise<'stopped' | 'ended'>)[]
  openFailures: (TelemetryError | undefined)[] = []

  constructor(...script: (() => Promise<'stopped' | 'ended'>)[]) {
    this.script = script
  }

  async open(): Promise<void> {
    assert.equal(this.opens, this.closes, 'opened while open')
    this.opens++
    const failure = this.openFailures.shift()
    if (failure !== undefined) throw failure
  }

  run(signal: AbortSignal): Promise<'stopped' | 'ended'> {
    const step = this.script.shift()
    if (step !== undefined) return step()
    return new Promise((resolve) => {
      if (signal.aborted) resolve('stopped')
      signal.addEventListener('abort', () => resolve('stopped'), { once: true })
    })
  }

  async close(): Promise<void> {
    this.closes++
  }
}

function build(driver: Driver, policy: Partial<DevicePolicy> = {}, now = { ms: 0 }) {
  const clock: Clock = { nowUs: () => 1_700_000_000_000_000 + now.ms * 1000, monotonicMs: () => now.ms }
  const transitions: DeviceTransition[] = []
  const waits: number[] = []
  const watchers: { state: string; resolve: () => void }[] = []
  const device = new Device({
    name: 'roof',
    driver,
    clock,
    policy: { ...DEVICE_POLICY_DEFAULTS, ...policy },
    random: () => 0.5,
    wait: async (ms) => {
      waits.push(ms)
    },
    onTransition: (transition) => {
      transitions.push(transition)
      for (const watcher of watchers.filter((one) => one.state === transition.to)) watcher.resolve()
    },
  })
  const reaches = (state: string) =>
    device.state === state ? Promise.resolve() : new Promise<void>((resolve) => watchers.push({ state, resolve }))
  return { device, transitions, waits, reaches, path: () => transitions.map(({ event }) => event).join(' ') }
}

test('a device starts, stops and starts again', async () => {
  const driver = new ScriptedDriver()
  const { device, path } = build(driver)
  await device.start()
  assert.equal(device.state, 'Measuring')
  await device.start()
  await device.stop(1000)
  assert.equal(device.state, 'Idle')
  await device.stop(1000)
  await device.start()
  assert.equal(device.state, 'Measuring')
  await device.stop(1000)
  assert.equal(path(), 'start stop start stop')
  assert.deepEqual([driver.opens, driver.closes], [2, 2])
})

test('a lost bus is taken again after waits under full jitter', async () => {
  const driver = new ScriptedDriver(() => Promise.reject(lost()))
  driver.openFailures = [undefined, lost(), lost()]
  const { device, path, waits, reaches } = build(driver)
  await device.start()
  await reaches('Error')
  await reaches('Measuring')
  assert.equal(path(), 'start failed failed failed recovered')
  assert.deepEqual(waits, [125, 250, 500])
  const { failures, recoveries, lastError } = device.snapshot()
  assert.deepEqual([failures, recoveries, lastError?.code], [3, 1, 'TLM_BUS_UNAVAILABLE'])
  await device.stop(1000)
})

test('a bus that is there again ends the pause, and pauses begin small anew', async () => {
  const driver = new ScriptedDriver()
  driver.openFailures = [lost(), lost(), lost(), lost(), lost()]
  let losses = 0
  // The cable is put back while the device waits for the third time.
  const whenBack = (signal: AbortSignal) =>
    ++losses === 3
      ? Promise.resolve()
      : new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
  const { device, waits, reaches } = build(Object.assign(driver, { whenBack }))
  await device.start()
  await reaches('Measuring')
  assert.deepEqual(waits, [125, 250, 500, 125, 250])
  await device.stop(1000)
})

test('a device whose bus is absent at the start is no error of start', async () => {
  const driver = new ScriptedDriver()
  driver.openFailures = [lost()]
  const { device, reaches } = build(driver)
  await device.start()
  await reaches('Measuring')
  await device.stop(1000)
})

test('too many failures in a row latch SafeState until reset, and start works after it', async () => {
  const driver = new ScriptedDriver()
  driver.openFailures = [lost(), lost(), lost()]
  const { device, reaches } = build(driver, { maxConsecutiveFailures: 3 })
  await device.start()
  await reaches('SafeState')
  await device.start()
  await device.stop(1000)
  assert.equal(device.state, 'SafeState')
  assert.equal(driver.opens, 3)
  assert.equal(await device.reset(), true)
  assert.equal(device.state, 'Idle')
  assert.equal(device.snapshot().consecutiveFailures, 0)
  await device.start()
  assert.equal(device.state, 'Measuring')
  await device.stop(1000)
})

test('a device that measured long enough counts its failures from the start again', async () => {
  const now = { ms: 0 }
  const failLater = () => {
    now.ms += 10_000
    return Promise.reject(lost())
  }
  const driver = new ScriptedDriver(failLater, failLater, failLater)
  const { device, transitions } = build(driver, { maxConsecutiveFailures: 2 }, now)
  await device.start()
  while (driver.opens < 4) await new Promise((resolve) => setImmediate(resolve))
  assert.equal(device.state, 'Measuring')
  assert.equal(transitions.filter(({ event }) => event === 'recovered').length, 3)
  await device.stop(1000)
})

test('a latched fault, and an error that waiting cannot mend, go to SafeState at once', async () => {
  for (const fault of [lost({ latched: true }), new TelemetryError('TLM_PACKAGE_MISSING', 'Install it.')]) {
    const { device, path } = build(new ScriptedDriver(() => Promise.reject(fault)))
    await device.start()
    while (device.state !== 'SafeState') await new Promise((resolve) => setImmediate(resolve))
    assert.equal(path(), 'start latched')
    assert.equal(device.snapshot().reason, fault.message)
  }
})

test('a source that ends makes the device idle, says so, and may be started again at once', async () => {
  const { device, reaches } = build(new ScriptedDriver(() => Promise.resolve('ended')))
  await device.start()
  await reaches('Idle')
  assert.equal(device.snapshot().reason, 'the source has no more to give')
  await device.start()
  assert.equal(device.state, 'Measuring')
  await device.stop(1000)
})

test('reset refuses a healthy device and clears Error', async () => {
  const driver = new ScriptedDriver()
  driver.openFailures = Array.from({ length: 1000 }, () => lost())
  const { device } = build(driver)
  assert.equal(await device.reset(), false)
  await device.start()
  assert.equal(device.state, 'Error')
  assert.equal(await device.reset(), true)
  assert.equal(device.state, 'Idle')
})

test('stop and start without waiting in between leave a device that measures', async () => {
  const { device } = build(new ScriptedDriver())
  await device.start()
  await Promise.all([device.stop(1000), device.start(), device.stop(1000), device.start()])
  assert.equal(device.state, 'Measuring')
  await device.stop(1000)
  assert.equal(device.state, 'Idle')
})

test('stop returns by its deadline although the driver hangs, and tells', async () => {
  let release: (outcome: 'stopped') => void = () => {}
  const driver = new ScriptedDriver(() => new Promise((resolve) => (release = resolve)))
  const { device } = build(driver)
  await device.start()
  await device.stop(1)
  assert.equal(device.state, 'Idle')
  assert.match(device.snapshot().reason, /had not ended after 1 ms/)
  release('stopped')
  await device.start()
  assert.equal(device.state, 'Measuring')
  await device.stop(1000)
})
