import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { TelemetryError } from '#core/errors/telemetry-error'
import { QUALITY } from '#core/model/quality'
import { ChannelDriver } from '#src/hub/channels/channel-driver'
import type { ChannelSettings } from '#src/hub/channels/channel-settings'
import { ChannelSink } from '#src/hub/channels/channel-sink'
import type { Channel } from '#src/hub/drivers/contract/manifest'
import { RecordingSink } from '#test/support/recording-sink'

const START_US = Date.UTC(2026, 0) * 1000

interface Given {
  settings?: Record<string, ChannelSettings>
  declared?: Channel[]
  sensorSerial?: string
  staleAfterMs?: number
}

class Rig {
  readonly inner = new RecordingSink()
  readonly clock = { ms: 0, nowUs: () => START_US + this.clock.ms * 1000, monotonicMs: () => this.clock.ms }
  readonly sink: ChannelSink

  constructor({ settings = {}, declared = [], sensorSerial, staleAfterMs }: Given) {
    const { inner, clock } = this
    const map = new Map(Object.entries(settings))
    this.sink = new ChannelSink({ device: 'roof', inner, settings: map, declared, sensorSerial, staleAfterMs, clock })
  }

  /** One reading a second of one channel. */
  feed(id: number, values: readonly number[]): void {
    for (const value of values) {
      this.clock.ms += 1000
      this.sink.reading(this.clock.nowUs(), [id], [value])
    }
  }

  get seen(): [value: number, quality: number][] {
    return this.inner.readings.flatMap(({ values, quality }) =>
      Object.values(values).map((value): [number, number] => [value, quality]),
    )
  }
}

describe('the channels of a device', () => {
  it('are converted, calibrated, checked, filtered and thinned in this order', () => {
    const settings = {
      temperature: {
        unit: 'degF',
        calibration: { offset: 1 },
        range: [0, 100] as const,
        filters: [{ offset: 1000 }],
        deadband: 0.5,
      },
    }
    const rig = new Rig({ settings })
    const id = rig.sink.series('temperature', 'Cel')!
    // 10 Cel are 50 degF, 51 calibrated, within the range that 1051 would not be in.
    rig.feed(id, [10, 10.1, 50])
    assert.deepEqual(rig.inner.channels, [{ channel: 'temperature', unit: '[degF]' }])
    assert.deepEqual(rig.seen, [
      [1051, QUALITY.good],
      [1123, QUALITY.range],
    ])
    const [figures] = rig.sink.figures()
    assert.deepEqual([figures.suppressed.deadband, figures.suspect.range, figures.quality], [1, 1, 'range'])
  })

  it('have one reading per quality when their values differ, with the raw bytes once', () => {
    const rig = new Rig({ settings: { a: { range: [0, 1] } } })
    const ids = ['a', 'b', 'c'].map((name) => rig.sink.series(name, '')!)
    rig.sink.reading(START_US, ids, [5, 6, 7], QUALITY.good, Buffer.from('raw'))
    assert.deepEqual(rig.inner.readings, [
      { takenAtUs: START_US, values: { a: 5 }, quality: QUALITY.range, raw: 'raw' },
      { takenAtUs: START_US, values: { b: 6, c: 7 }, quality: QUALITY.good, raw: undefined },
    ])
  })

  it('are not filtered again when the ring was full and the reading is offered again', () => {
    const rig = new Rig({ settings: { a: { range: [0, 10], filters: [{ average: 60_000 }] } } })
    const ids = ['a', 'b'].map((name) => rig.sink.series(name, '')!)
    rig.inner.capacity = 1
    rig.sink.reading(START_US, ids, [2, 20])
    const offer = () => rig.sink.reading(START_US + 1e6, ids, [4, 40])
    assert.deepEqual([offer(), offer()], [false, false])
    rig.inner.makeRoom(1)
    assert.equal(offer(), true)
    assert.deepEqual(rig.inner.readings.at(-1)!.values, { a: 3, b: 40 })
    // Of two qualities: the first half is in, the second is not.
    rig.inner.makeRoom(1)
    const offerMixed = () => rig.sink.reading(START_US + 2e6, ids, [99, 50])
    assert.equal(offerMixed(), false)
    rig.inner.makeRoom(1)
    assert.equal(offerMixed(), true)
    assert.deepEqual(
      rig.inner.readings.slice(-2).map(({ values }) => values),
      [{ a: 99 }, { b: 50 }],
    )
    assert.equal(rig.sink.figures()[0].suspect.range, 1)
  })

  it('give their name, and nothing when they are not enabled', () => {
    const rig = new Rig({ settings: { a: { name: 'inside' }, b: { enabled: false } } })
    const ids = ['a', 'b'].map((name) => rig.sink.series(name, '')!)
    rig.sink.reading(START_US, ids, [1, 2])
    assert.deepEqual(rig.inner.channels, [{ channel: 'inside', unit: '' }])
    assert.deepEqual(rig.seen, [[1, QUALITY.good]])
    assert.deepEqual(
      rig.sink.figures().map(({ channel, suppressed }) => [channel, suppressed.disabled]),
      [['b', 1]],
    )
  })

  it('count what is no number, and let the rest pass', () => {
    const rig = new Rig({ settings: { '*': { filters: [{ average: 60_000 }] } } })
    const id = rig.sink.series('a', '')!
    rig.feed(id, [1, Number.NaN, 3])
    assert.deepEqual(
      rig.seen.map(([value]) => value),
      [1, 2],
    )
    assert.deepEqual([...rig.inner.rejects], [['value_not_finite', 1]])
  })

  it('use what the driver declares, in the unit that it decodes to', () => {
    const declared: Channel[] = [
      {
        name: 'temperature',
        quantity: 'temperature',
        unit: 'Cel',
        range: [-55, 125],
        sentinels: [{ value: 85, quality: QUALITY.sentinel, meaning: 'power-on value' }],
      },
    ]
    const rig = new Rig({ declared, settings: { '*': { unit: 'K', calibration: { offset: 0.1 } } } })
    rig.feed(rig.sink.series('temperature', 'Cel')!, [20, 85, 126])
    assert.deepEqual(
      rig.seen.map(([, quality]) => quality),
      [QUALITY.good, QUALITY.sentinel, QUALITY.range],
    )
  })

  it('keep the graver of what the driver and the checks say', () => {
    const rig = new Rig({ settings: { a: { range: [0, 1] } } })
    const id = rig.sink.series('a', '')!
    rig.sink.reading(START_US, [id], [0.5], QUALITY.warming)
    rig.sink.reading(START_US + 1, [id], [5], QUALITY.warming)
    assert.deepEqual(
      rig.seen.map(([, quality]) => quality),
      [QUALITY.warming, QUALITY.range],
    )
  })

  it('are not calibrated with the calibration of another sensor', () => {
    const settings = { a: { calibration: { offset: 100, serial: 'S1' } } }
    for (const [serial, expected] of [
      ['S1', [101, QUALITY.good]],
      ['S2', [1, QUALITY.uncalibrated]],
      [undefined, [1, QUALITY.uncalibrated]],
    ] as const) {
      const rig = new Rig({ settings, ...(serial !== undefined && { sensorSerial: serial }) })
      rig.feed(rig.sink.series('a', '')!, [1])
      assert.deepEqual(rig.seen, [expected])
    }
  })

  it('refuse a unit that theirs does not convert to, and say which do', () => {
    const rig = new Rig({ settings: { a: { unit: 'Pa' } } })
    assert.throws(
      () => rig.sink.series('a', 'Cel'),
      (error: TelemetryError) =>
        error.code === 'TLM_OPTIONS_INVALID' && /devices\.roof\.channels\.a\.unit is Pa.*\[degF\]/.test(error.message),
    )
  })

  it('say once that they are stale, and again only after they had a value', () => {
    const rig = new Rig({ settings: { a: { staleAfterMs: 5000, deadband: 10, heartbeatMs: 86_400_000 } } })
    const id = rig.sink.series('a', '')!
    const lookAfter = (ms: number) => {
      rig.clock.ms += ms
      rig.sink.lookForStale()
    }
    lookAfter(60_000)
    assert.equal(rig.seen.length, 0)
    rig.feed(id, [7])
    lookAfter(4999)
    assert.equal(rig.seen.length, 1)
    lookAfter(1)
    lookAfter(60_000)
    assert.deepEqual(rig.seen, [
      [7, QUALITY.good],
      [7, QUALITY.stale],
    ])
    assert.equal(rig.sink.figures()[0].quality, 'stale')
    // Unchanged and alive: told apart from stale, whatever the deadband.
    rig.feed(id, [7])
    assert.deepEqual(rig.seen.at(-1), [7, QUALITY.good])
    assert.equal(rig.sink.figures()[0].suspect.stale, 1)
    rig.sink.rest()
    lookAfter(60_000)
    assert.equal(rig.seen.length, 3)
  })
})

describe('a driver with channels', () => {
  it('makes them forget when it is opened anew, looks after them while it is lost, and rests when it is told to stop', async () => {
    const rig = new Rig({ settings: { a: { staleAfterMs: 100, filters: [{ skip_first: 1 }] } } })
    const id = rig.sink.series('a', '')!
    let lose = () => {}
    const inner = {
      open: async () => {},
      close: async () => {},
      run: (signal: AbortSignal) =>
        new Promise<'stopped'>((resolve, reject) => {
          lose = () => reject(new Error('lost'))
          signal.addEventListener('abort', () => resolve('stopped'))
        }),
    }
    const driver = new ChannelDriver(inner, rig.sink)
    const abort = new AbortController()
    await driver.open()
    const first = driver.run(abort.signal)
    rig.feed(id, [1, 2])
    lose()
    await assert.rejects(first, /lost/)
    rig.clock.ms += 1000
    const alive = setInterval(() => {}, 1000)
    await rig.inner.until(() => rig.seen.length === 2)
    clearInterval(alive)
    assert.deepEqual(rig.seen, [
      [2, QUALITY.good],
      [2, QUALITY.stale],
    ])
    await driver.open()
    const second = driver.run(abort.signal)
    rig.feed(id, [3, 4])
    assert.deepEqual(rig.seen.at(-1), [4, QUALITY.good])
    assert.equal(rig.sink.figures()[0].suppressed.skip_first, 2)
    abort.abort()
    assert.equal(await second, 'stopped')
    rig.clock.ms += 60_000
    rig.sink.lookForStale()
    assert.equal(rig.seen.length, 3)
  })
})
