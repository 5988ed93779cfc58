import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { TelemetryError } from '#core/errors/telemetry-error'
import { BusRegistry } from '#src/hub/buses/bus-registry'
import { ChannelLink } from '#src/hub/buses/line-link'
import type { Acquisition } from '#src/hub/devices/observation'
import { ReadingFigures } from '#src/hub/devices/reading-figures'
import { StreamRunner } from '#src/hub/devices/stream-runner'
import { RecordingSink } from '#test/support/recording-sink'
import { ScriptedChannel } from '#test/support/scripted-channel'
import { driver } from '#test/support/talking-driver'
import { VirtualTime } from '#test/support/virtual-time'

const FACTS = { kind: 'serial', place: '/dev/ttyUSB0', baudRate: 9600, bitsPerByte: 10 } as const
const SETTINGS = {
  kind: 'serial',
  at: { path: '/dev/ttyUSB0' },
  baudRate: 9600,
  dataBits: 8,
  parity: 'none',
  stopBits: 1,
} as const

async function build() {
  const time = new VirtualTime()
  const written: string[] = []
  const channel = new ScriptedChannel((bytes) => written.push(Buffer.from(bytes).toString()))
  const buses = new BusRegistry({ time, open: async () => new ChannelLink(channel, FACTS, time) })
  const bus = buses.busFor({ name: 'line', settings: SETTINGS, budget: 0.7 }, 'gps')
  const sink = new RecordingSink()
  const figures = new ReadingFigures({ device: 'gps' })
  const runner = new StreamRunner({
    device: 'gps',
    driver,
    options: { silence: 500 },
    seat: bus.join('gps', 100),
    keepRaw: true,
    sink,
    time,
    clock: time,
    figures,
    observation: buses.observation,
  })
  await runner.open()
  const stop = new AbortController()
  const outcome = { text: 'runs' }
  runner.run(stop.signal).then(
    (end) => {
      outcome.text = end
    },
    (error: TelemetryError) => {
      outcome.text = `${error.code} ${error.details.fault}: ${error.message}`
    },
  )
  const say = (text: string) => channel.send(Buffer.from(text))
  return { time, written, channel, buses, bus, sink, figures, stop, outcome, say }
}

describe('the stream runner', () => {
  it('starts the device, hands in its frames with their age, and stops it', async () => {
    const { time, written, buses, bus, sink, figures, stop, outcome, say } = await build()
    const seen: Acquisition[] = []
    buses.observation.add({ acquisition: (acquisition) => seen.push(acquisition) })
    await time.advance(100)
    assert.deepEqual(written, ['go\n'])
    say('..<1<9<')
    await time.advance(10)
    say('2')
    await time.advance(10)
    assert.deepEqual(
      sink.readings.map(({ values, raw, takenAtUs }) => [values.digit, raw, time.nowUs() - takenAtUs]),
      [
        [1, '<1', 21_000],
        [2, '<2', 11_000],
      ],
    )
    assert.deepEqual([figures.reads.get('ok'), figures.reads.get('crc'), figures.skippedBytes], [2, 1, 2])
    assert.deepEqual(
      seen.map(({ raw, fault }) => [Buffer.from(raw).toString(), fault?.fault]),
      [
        ['<1', undefined],
        ['<9', 'crc'],
        ['<2', undefined],
      ],
    )
    // 8 bytes that came, and 3 that went out in no time at all, as the test's channel takes them at once.
    assert.ok(Math.abs(bus.busySeconds - (8 * 10) / 9600) < 1e-6, `${bus.busySeconds}`)
    stop.abort()
    await time.advance(10)
    assert.deepEqual(written, ['go\n', 'halt\n'])
    assert.equal(outcome.text, 'stopped')
    assert.equal(time.pending, 0)
  })

  it('finds the device lost when no frame comes in time, noise or not', async () => {
    const { time, outcome, figures, say } = await build()
    await time.advance(400)
    say('<1')
    await time.advance(400)
    say('noise')
    await time.advance(99)
    assert.equal(outcome.text, 'runs')
    await time.advance(1)
    assert.match(outcome.text, /^TLM_BUS_UNAVAILABLE timeout: No frame for 500 ms/)
    assert.equal(figures.fault?.fault, 'timeout')
    assert.equal(time.pending, 0)
  })

  it('does not take a hub that waits for room for a device that is silent', async () => {
    const { time, outcome, sink, say } = await build()
    sink.capacity = 0
    say('<1<2')
    await time.advance(5000)
    assert.equal(outcome.text, 'runs')
    sink.makeRoom(10)
    await time.advance(400)
    assert.equal(sink.readings.length, 2)
    assert.equal(outcome.text, 'runs')
    await time.advance(200)
    assert.match(outcome.text, /No frame/)
  })

  it('tells of a line that was lost', async () => {
    const { time, outcome, channel, figures } = await build()
    channel.fail(new TelemetryError('TLM_BUS_UNAVAILABLE', 'Serial port /dev/ttyUSB0 was lost (EIO).'))
    await time.advance(1)
    assert.equal(outcome.text, 'TLM_BUS_UNAVAILABLE io: Serial port /dev/ttyUSB0 was lost (EIO).')
    assert.equal(figures.fault?.fault, 'io')
  })
})
