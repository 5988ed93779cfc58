import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { TelemetryError } from '#core/errors/telemetry-error'
import { BusRegistry } from '#src/hub/buses/bus-registry'
import { waitFor } from '#src/hub/buses/bus-time'
import { ChannelLink } from '#src/hub/buses/line-link'
import { Device } from '#src/hub/devices/device'
import { DEVICE_POLICY_DEFAULTS } from '#src/hub/devices/device-policy'
import { type Acquisition, type BusTransaction, Observation } from '#src/hub/devices/observation'
import { PolledRunner } from '#src/hub/devices/polled-runner'
import { ReadingFigures } from '#src/hub/devices/reading-figures'
import type { Fault } from '#src/hub/drivers/contract/fault'
import { askingDriver } from '#test/support/asking-driver'
import { RecordingSink } from '#test/support/recording-sink'
import { ScriptedChannel } from '#test/support/scripted-channel'
import { VirtualTime } from '#test/support/virtual-time'

const SETTINGS = { kind: 'tcp', host: 'plc', port: 502 } as const

/** Some units on one line, each answering `answerMs` after it was asked; the numbers are read anew at each question. */
function build(unitCount = 1, { answerMs = 5, timeoutMs = 200, everyMs = 100, retryMaxMs = 30_000 } = {}) {
  const time = new VirtualTime()
  const observation = new Observation()
  const line = {
    answerMs,
    opens: 0,
    canOpen: true,
    dead: new Set<number>(),
    /** Sent by the unit instead of its value. */
    odd: new Map<number, number>(),
    asked: [] as { unit: number; atMs: number; isSetup: boolean }[],
    channel: undefined as ScriptedChannel | undefined,
  }
  const open = async () => {
    line.opens++
    if (!line.canOpen)
      throw new TelemetryError('TLM_BUS_UNAVAILABLE', 'Nobody listens at plc:502.', { fault: 'missing' })
    line.channel = new ScriptedChannel(([unit, command], send) => {
      line.asked.push({ unit, atMs: time.monotonicMs(), isSetup: command === 0xff })
      if (line.dead.has(unit)) return
      const value = command === 0xff ? 100 : (line.odd.get(unit) ?? 1)
      if (command === 0xff) line.odd.delete(unit)
      time.after(line.answerMs, () => send(Uint8Array.of(unit, value)))
    })
    return new ChannelLink(line.channel, { kind: 'tcp', place: 'plc:502', baudRate: undefined, bitsPerByte: 8 }, time)
  }
  const buses = new BusRegistry({ time, open, observation })
  const faults: string[] = []
  const policy = { ...DEVICE_POLICY_DEFAULTS, retryMaxMs }
  const units = Array.from({ length: unitCount }, (_, unit) => {
    const name = `unit-${unit}`
    const sink = new RecordingSink()
    const figures = new ReadingFigures({
      device: name,
      onFault: (device: string, { fault }: Fault) => faults.push(`${device} ${fault}`),
      onWell: (device: string) => faults.push(`${device} well`),
    })
    const bus = buses.busFor({ name: 'plc', settings: SETTINGS, budget: 0.7 }, name)
    const runner = new PolledRunner({
      device: name,
      driver: askingDriver,
      options: { unit },
      seat: bus.join(name, timeoutMs),
      port: {},
      everyMs,
      keepRaw: true,
      sink,
      time,
      clock: time,
      figures,
      observation,
    })
    const wait = (ms: number, signal: AbortSignal) => waitFor(time, ms, signal)
    const device = new Device({
      name,
      driver: runner,
      clock: time,
      policy,
      random: () => 0.5,
      wait,
    })
    return { name, sink, figures, device }
  })
  const [{ sink, figures, device }] = units
  const bus = buses.buses[0]
  return { time, line, units, sink, figures, device, bus, faults, observation }
}

const agesMs = (sink: RecordingSink, time: VirtualTime) =>
  sink.readings.map(({ takenAtUs }) => Math.round((takenAtUs - time.nowUs()) / 1000 + time.monotonicMs()))

describe('the polled runner', () => {
  it('sets the device up once and reads on a grid that does not drift', async () => {
    const { time, line, sink, device, figures } = build()
    device.start()
    await time.advance(10_000)
    assert.equal(line.asked.filter(({ isSetup }) => isSetup).length, 1)
    // Set-up takes 5 ms, the grid begins after it, and each answer 5 ms more.
    const instants = agesMs(sink, time)
    assert.deepEqual(instants.slice(0, 3), [10, 110, 210])
    assert.equal(instants.length, 100)
    assert.equal(instants.at(-1), 9910)
    assert.deepEqual(sink.readings[0].values, { level: 101 })
    assert.equal(sink.readings[0].raw, '\x00\x01')
    assert.equal(figures.missed, 0)
    assert.equal(figures.reads.get('ok'), 100)
    device.stop(1000)
    await time.advance(10)
    assert.equal(device.state, 'Idle')
    assert.equal(time.pending, 0)
  })

  it('counts due times it could not keep, and never makes up for them', async () => {
    const { time, line, sink, device, figures } = build()
    device.start()
    await time.advance(1000)
    line.answerMs = 160
    await time.advance(3000)
    line.answerMs = 5
    const before = sink.readings.length
    await time.advance(1000)
    assert.ok(sink.readings.length - before <= 10, 'a burst')
    const gaps = line.asked.map(({ atMs }, i) => (i === 0 ? 100 : atMs - line.asked[i - 1].atMs))
    assert.ok(
      gaps.slice(2).every((gap) => gap >= 75),
      `asked again after ${Math.min(...gaps.slice(2))} ms`,
    )
    assert.equal(figures.missed + figures.reads.get('ok'), 50)
    assert.ok(figures.missed >= 14 && figures.missed <= 16)
  })

  it('tries once more at once, then sets the device up again', async () => {
    const { time, line, device, figures, faults } = build()
    device.start()
    await time.advance(1000)
    line.odd.set(0, 0xee)
    await time.advance(1000)
    // `setup` is not tried again as it is: a device whose registers were reset is set up anew.
    assert.equal(figures.reinitializations, 1)
    assert.equal(figures.reads.get('setup'), 1)
    assert.equal(figures.fault, undefined)
    assert.equal(figures.lastFault?.message, 'The device has lost its setup.')
    assert.deepEqual(faults, ['unit-0 setup', 'unit-0 well'])
    assert.equal(device.state, 'Measuring')
    line.answerMs = 300
    time.after(250, () => {
      line.answerMs = 5
    })
    await time.advance(1000)
    assert.equal(figures.reads.get('timeout'), 1)
    assert.equal(figures.reinitializations, 1)
  })

  it('opens the bus again, and hands over to the supervisor when nothing helps', async () => {
    const { time, line, device, bus, figures } = build()
    device.start()
    await time.advance(1000)
    assert.equal(line.opens, 1)
    line.dead.add(0)
    // First, again, set-up, the bus anew and set-up once more: four timeouts.
    await time.advance(900)
    assert.equal(line.opens, 2)
    assert.equal(bus.recoveries, 1)
    assert.equal(device.state, 'Error')
    assert.match(device.snapshot().reason, /No answer on plc:502 within 200 ms/)
    line.dead.clear()
    await time.advance(2000)
    assert.equal(device.state, 'Measuring')
    assert.equal(figures.fault, undefined)
    assert.equal(device.snapshot().recoveries, 1)
  })

  it('keeps trying a bus that cannot be opened, and says why', async () => {
    const { time, line, device, figures, faults } = build()
    line.canOpen = false
    device.start()
    await time.advance(60_000)
    assert.equal(device.state, 'Error')
    assert.equal(figures.fault?.message, 'Nobody listens at plc:502.')
    assert.deepEqual(faults, ['unit-0 missing'])
    line.canOpen = true
    await time.advance(30_000)
    assert.equal(device.state, 'Measuring')
  })

  it('notices a lost bus at once and reads on after it is back', async () => {
    const { time, line, device, sink } = build()
    device.start()
    await time.advance(1000)
    line.channel!.fail(new TelemetryError('TLM_BUS_UNAVAILABLE', 'The connection to plc:502 was lost.'))
    await time.advance(50)
    assert.equal(device.state, 'Error')
    const before = sink.readings.length
    await time.advance(1000)
    assert.ok(sink.readings.length > before + 5)
    assert.equal(line.opens, 2)
  })

  it('throws away what comes unasked', async () => {
    const { time, line, device, figures, sink } = build()
    device.start()
    await time.advance(1050)
    line.channel!.send(Uint8Array.of(7, 7))
    await time.advance(100)
    assert.equal(figures.reads.get('wrong_source'), 0)
    assert.deepEqual(sink.readings.at(-1)?.values, { level: 101 })
  })

  it('refuses an answer of another device, and asks again', async () => {
    const { time, line, device, figures } = build()
    device.start()
    await time.advance(1008)
    line.channel!.send(Uint8Array.of(7, 7))
    await time.advance(1000)
    assert.equal(figures.reads.get('wrong_source'), 1)
    assert.equal(figures.reinitializations, 0)
    assert.equal(device.state, 'Measuring')
  })

  it('shows observers each call and each reading, and costs no timer when nothing is due', async () => {
    const { time, device, observation, bus } = build()
    const transactions: BusTransaction[] = []
    const acquisitions: Acquisition[] = []
    const end = observation.add({
      transaction: (transaction) => transactions.push(transaction),
      acquisition: (acquisition) => acquisitions.push(acquisition),
    })
    device.start()
    await time.advance(50)
    assert.deepEqual(
      transactions.map(({ call, sent, received, tookMs }) => [call, [...sent[0]], [...received[0]], tookMs]),
      [
        ['exchange', [0, 0xff], [0, 100], 5],
        ['exchange', [0], [0, 1], 5],
      ],
    )
    assert.equal(acquisitions.length, 1)
    assert.deepEqual([...acquisitions[0].setup], [0, 100])
    assert.deepEqual(acquisitions[0].decoded, [{ ageUs: 0, values: [101] }])
    end()
    await time.advance(1000)
    assert.equal(acquisitions.length, 1)
    // Between two readings: the timer of the next one.
    assert.equal(time.pending, 1)
    assert.ok(bus.utilization > 0.04 && bus.utilization < 0.06)
  })

  it('lets seven devices keep over 95 % of their rate beside one that is dead', async () => {
    // It is tried again without a pause to speak of: only the bus itself protects the others.
    const { time, line, units } = build(8, { timeoutMs: 500, retryMaxMs: 10 })
    for (const { device } of units) device.start()
    await time.advance(5000)
    const counts = () => units.map(({ sink }) => sink.readings.length)
    const atFirst = counts()
    await time.advance(20_000)
    const allWell = counts()
    line.dead.add(3)
    await time.advance(200_000)
    const oneDead = counts()
    for (const i of units.keys()) {
      assert.equal(allWell[i] - atFirst[i], 200, `unit ${i}`)
      const kept = oneDead[i] - allWell[i]
      if (i !== 3) assert.ok(kept > 0.95 * 2000, `unit ${i}: ${kept} of 2000`)
    }
    assert.equal(oneDead[3], allWell[3])
    assert.ok(units[3].figures.reads.get('timeout') >= 10, 'it is still tried')
    assert.equal(units[3].figures.reinitializations, 0)
  })

  it('brings a dead device back among healthy ones', async () => {
    const { time, line, units } = build(8, { answerMs: 5, timeoutMs: 500, everyMs: 100 })
    for (const { device } of units) device.start()
    line.dead.add(3)
    await time.advance(120_000)
    assert.equal(units[3].sink.readings.length, 0)
    line.dead.clear()
    await time.advance(60_000)
    assert.equal(units[3].device.state, 'Measuring')
    const before = units[3].sink.readings.length
    await time.advance(10_000)
    assert.ok(units[3].sink.readings.length - before >= 99)
  })
})
