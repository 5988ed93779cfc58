import assert from 'node:assert/strict'
import { describe, it, mock } from 'node:test'
import { createColumns } from '#core/model/columns'
import { createRing } from '#core/ring/layout'
import { RingConsumer } from '#core/ring/ring-consumer'
import { RingProducer } from '#core/ring/ring-producer'
import type { OverflowPolicy } from '#src/hub/intake/device-intake'
import { Intake } from '#src/hub/intake/intake'
import { ONE_FOR_ALL } from '#src/hub/intake/ring-classes'
import { RingLane } from '#src/hub/intake/ring-lane'
import { SeriesRegistry } from '#src/hub/intake/series-registry'
import { NO_SHEDDING, SheddingLadder } from '#src/hub/intake/shedding-ladder'

const NOW_US = 1_700_000_000_000_000

function intakeWith({
  slots = 8,
  overflow = 'refuse-newest' as OverflowPolicy,
  maxSeries = 100,
  ladder = new SheddingLadder(NO_SHEDDING),
  stampOriginUs = undefined as number | undefined,
} = {}) {
  const memory = createRing({ slots, rawBytes: 4096 })
  const registry = new SeriesRegistry(maxSeries)
  const told: string[] = []
  const intake = new Intake({
    lanes: [new RingLane(new RingProducer(memory))],
    classes: ONE_FOR_ALL,
    registry,
    ladder,
    stampOriginUs,
    onReject: (device, reason, detail) => told.push(`${device} ${reason} ${detail}`),
  })
  const device = intake.addDevice('roof', { priority: 2, overflow })
  const consumer = new RingConsumer(memory)
  const rows = createColumns(slots)
  return { intake, device, consumer, rows, registry, told }
}

describe('the intake of a device', () => {
  it('publishes readings with their number, quality and the priority of the device', () => {
    const { device, consumer, rows } = intakeWith()
    const series = [device.series('t', 'celsius')!, device.series('h', 'percent')!]
    assert.equal(device.reading(NOW_US, series, [20.5, 48], 4, Uint8Array.of(7)), true)
    assert.equal(device.reading(NOW_US + 1, series, [21, 49]), true)
    consumer.drain(rows)
    assert.equal(rows.count, 4)
    assert.deepEqual([...rows.sequences.subarray(0, 4)], [0, 0, 1, 1])
    assert.deepEqual([...rows.values.subarray(0, 4)], [20.5, 48, 21, 49])
    assert.deepEqual([...rows.qualities.subarray(0, 4)], [4, 4, 0, 0])
    assert.deepEqual([...rows.priorities.subarray(0, 4)], [2, 2, 2, 2])
    assert.deepEqual([...rows.raw], [[0, Uint8Array.of(7)]])
    assert.equal(device.accepted, 4)
  })

  it('publishes stamps of the drivers in hub time, and recorded instants as they are', () => {
    const { device, consumer, rows } = intakeWith({ stampOriginUs: NOW_US - 5000 })
    const series = [device.series('t', '')!]
    device.reading(NOW_US, series, [1])
    device.reading(NOW_US - 6000, series, [2])
    device.reading(NOW_US, series, [3], 0, undefined, true)
    device.reading(NOW_US, [series[0], 99], [4, 5], 0, undefined, true)
    // Twenty years ahead of the drivers' own clock: not read from it, and not to be taken for wall time.
    device.reading(NOW_US + 700_000_000_000_000, series, [6])
    consumer.drain(rows)
    assert.deepEqual([...rows.takenAtUs.subarray(0, rows.count)], [5000, -1000, NOW_US, NOW_US])
    assert.deepEqual(device.rejects(), [
      ['series_unknown', 1],
      ['instant_out_of_range', 1],
    ])
  })

  it('refuses values that are not finite one by one, and counts them', () => {
    const { device, consumer, rows } = intakeWith()
    const series = ['a', 'b', 'c'].map((channel) => device.series(channel, '')!)
    device.reading(NOW_US, series, [1, Number.NaN, 3])
    device.reading(NOW_US, series, [Number.POSITIVE_INFINITY, 5, Number.NEGATIVE_INFINITY])
    device.reading(NOW_US, series, [Number.NaN, Number.NaN, Number.NaN])
    consumer.drain(rows)
    assert.deepEqual([...rows.values.subarray(0, rows.count)], [1, 3, 5])
    assert.deepEqual(device.rejects(), [['value_not_finite', 6]])
    assert.equal(device.accepted, 3)
  })

  it('refuses instants that no clock can mean, for every value of the reading', () => {
    const { device, consumer, told } = intakeWith()
    const series = [device.series('a', '')!, device.series('b', '')!]
    const instants = [0, -1, Number.NaN, Date.UTC(1990, 0) * 1000 - 1, Date.UTC(2100, 0) * 1000]
    for (const instant of instants) assert.equal(device.reading(instant, series, [1, 2]), true)
    assert.deepEqual(device.rejects(), [['instant_out_of_range', 2 * instants.length]])
    assert.equal(consumer.backlog, 0)
    assert.equal(device.reading(Date.UTC(1990, 0) * 1000, series, [1, 2]), true)
    assert.equal(consumer.backlog, 2)
    assert.match(told[0], /roof instant_out_of_range 0/)
  })

  it('refuses series that it never gave out', () => {
    const { device, consumer } = intakeWith()
    const known = device.series('a', '')!
    device.reading(NOW_US, [known, known + 1], [1, 2])
    assert.equal(consumer.backlog, 1)
    assert.deepEqual(device.rejects(), [['series_unknown', 1]])
  })

  it('gives out no more series than the hub allows, and none with names too long', () => {
    const { device, intake } = intakeWith({ maxSeries: 2 })
    assert.equal(device.series('a', ''), 0)
    assert.equal(device.series('b', ''), 1)
    assert.equal(device.series('a', 'another unit'), 0, 'a known one')
    assert.equal(device.series('c', ''), undefined)
    assert.equal(device.series('x'.repeat(65), ''), undefined)
    assert.equal(device.series('', ''), undefined)
    assert.deepEqual(intake.rejected(), [
      { device: 'roof', reason: 'series_limit_reached', count: 1 },
      { device: 'roof', reason: 'series_name_invalid', count: 2 },
    ])
  })

  it('keeps series apart whose names contain slashes', () => {
    const { intake, device } = intakeWith()
    const other = intake.addDevice('roof/a', { priority: 1, overflow: 'refuse-newest' })
    assert.notEqual(device.series('a/b', ''), other.series('b', ''))
  })

  it('drops the newest readings of a full ring, counts them, and leaves a gap in their numbers', () => {
    const { device, consumer, rows, intake } = intakeWith({ slots: 4 })
    const series = [device.series('a', '')!, device.series('b', '')!]
    for (let n = 0; n < 4; n++) assert.equal(device.reading(NOW_US + n, series, [n, n]), true)
    assert.deepEqual(intake.totals(), { accepted: 8, dropped: 4, thinned: 0, refusedByClass: 0 })
    consumer.drain(rows)
    consumer.release(4)
    device.reading(NOW_US + 4, series, [4, 4])
    consumer.drain(rows)
    assert.equal(rows.sequences[0], 4)
  })

  it('makes a slow driver wait instead: nothing is taken or counted until there is room', async () => {
    const { device, consumer, rows, intake } = intakeWith({ slots: 4, overflow: 'slow-driver' })
    const series = [device.series('a', '')!, device.series('b', '')!]
    assert.equal(device.reading(NOW_US, series, [0, 0]), true)
    assert.equal(device.reading(NOW_US, series, [1, 1]), true)
    assert.equal(device.reading(NOW_US, series, [2, 2]), false)
    assert.deepEqual(intake.totals(), { accepted: 4, dropped: 0, thinned: 0, refusedByClass: 0 })
    mock.timers.enable({ apis: ['setTimeout'] })
    let hasRoom = false
    void device.room().then(() => {
      hasRoom = true
    })
    const look = async () => {
      mock.timers.tick(10)
      await new Promise((resolve) => setImmediate(resolve))
    }
    consumer.drain(rows, 1)
    consumer.release(1)
    await look()
    assert.equal(hasRoom, false, 'one slot is no room for a reading of two')
    consumer.drain(rows, 1)
    consumer.release(1)
    await look()
    mock.timers.reset()
    assert.equal(hasRoom, true)
    assert.equal(device.reading(NOW_US, series, [2, 2]), true)
    consumer.drain(rows)
    assert.equal(rows.sequences[rows.count - 1], 2)
  })

  it('counts a faulty reading that must be offered again only when it is taken', () => {
    const { device, consumer, rows } = intakeWith({ slots: 2, overflow: 'slow-driver' })
    const series = [device.series('a', '')!, device.series('b', '')!]
    device.reading(NOW_US, series, [0, 0])
    assert.equal(device.reading(NOW_US, series, [1, Number.NaN]), false)
    assert.deepEqual(device.rejects(), [])
    consumer.drain(rows)
    consumer.release(2)
    assert.equal(device.reading(NOW_US, series, [1, Number.NaN]), true)
    assert.deepEqual(device.rejects(), [['value_not_finite', 1]])
  })

  it('bounds the reasons that a driver may make up', () => {
    const { device } = intakeWith()
    for (let n = 0; n < 100; n++) device.reject(`reason_${n}`)
    const rejects = device.rejects()
    assert.equal(rejects.length, 33)
    assert.deepEqual(rejects.at(-1), ['other', 68])
  })

  it('takes nothing any more once the hub stops, and counts that', () => {
    const { device, consumer, intake } = intakeWith()
    const series = [device.series('a', '')!]
    intake.close()
    assert.equal(device.reading(NOW_US, series, [1]), true)
    assert.equal(consumer.backlog, 0)
    assert.equal(device.accepted, 0)
    assert.deepEqual(device.rejects(), [['hub_stopping', 1]])
  })

  it('remembers the newest sample', () => {
    const { device, intake } = intakeWith()
    assert.equal(intake.latest(), undefined)
    const series = [device.series('t', 'celsius')!, device.series('h', 'percent')!]
    device.reading(NOW_US, series, [20.5, 48])
    assert.deepEqual(intake.latest(), { device: 'roof', channel: 'h', sequence: 0, value: 48, unit: 'percent' })
  })
})

describe('a device while the processors are behind', () => {
  const shedding = {
    amber: { high: 'pass', normal: 'pass', low: 'thin' },
    red: { high: 'pass', normal: 'thin', low: 'refuse' },
    keepOneIn: 4,
  } as const

  it('is thinned at amber and refused at red, as its class says, and taken in full again at green', () => {
    const ladder = new SheddingLadder(shedding)
    const { intake, device, consumer, rows } = intakeWith({ slots: 64, ladder })
    const series = [device.series('a', '')!, device.series('b', '')!]
    const read = (readings: number) => {
      for (let i = 0; i < readings; i++) assert.equal(device.reading(NOW_US, series, [1, 2]), true)
      consumer.drain(rows)
      consumer.release(rows.count)
      return [...rows.sequences.subarray(0, rows.count)]
    }
    assert.equal(ladder.setLevel('amber'), true)
    assert.deepEqual(read(8), [0, 0, 4, 4])
    ladder.setLevel('red')
    assert.deepEqual(read(4), [])
    assert.equal(ladder.setLevel('red'), false)
    ladder.setLevel('green')
    assert.deepEqual(read(2), [12, 12, 13, 13])
    assert.deepEqual(intake.totals(), { accepted: 28, dropped: 0, thinned: 12, refusedByClass: 8 })
  })

  it('waits instead of losing what is refused, when its driver can', async () => {
    const ladder = new SheddingLadder(shedding)
    const { intake, device } = intakeWith({ overflow: 'slow-driver', ladder })
    const series = [device.series('a', '')!]
    ladder.setLevel('red')
    assert.equal(device.reading(NOW_US, series, [1]), false)
    await device.room()
    assert.equal(device.reading(NOW_US, series, [1]), false)
    ladder.setLevel('green')
    assert.equal(device.reading(NOW_US, series, [1]), true)
    assert.deepEqual(intake.totals(), { accepted: 1, dropped: 0, thinned: 0, refusedByClass: 0 })
  })
})
