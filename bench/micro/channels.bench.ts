/** What a value costs in its channel's pipeline, before the ring. A device that configures no channels has none. */

import type { ChannelSettings } from '#src/hub/channels/channel-settings'
import { ChannelSink } from '#src/hub/channels/channel-sink'
import type { SampleSink } from '#src/hub/drivers/driver'
import type { Bench } from '../bench.js'

const SAMPLES = 1_000_000
const START_US = Date.UTC(2026, 0) * 1000

const CONTENDERS: Readonly<Record<string, ChannelSettings>> = {
  'a channel with nothing beside one with something': {},
  'unit, calibration and checks': {
    unit: 'degF',
    calibration: { offset: 0.1 },
    range: [0, 200],
    maxRatePerSecond: 1e9,
    stuckAfterMs: 60_000,
  },
  'median of 5': { filters: [{ median: 5 }] },
  'average of 100 values': { filters: [{ average: 100 }] },
  'deadband that lets a tenth through': { deadband: 0.9 },
}

export const bench: Bench = {
  title: 'Channels: one value through its pipeline (CPU time)',
  async run(mode) {
    const rounds = mode === 'short' ? 1 : 5
    return Object.entries(CONTENDERS).map(([contender, settings]) => ({
      contender,
      unit: 'ns/sample',
      value: Math.min(...Array.from({ length: rounds + 1 }, () => measure(settings))),
    }))
  },
}

function measure(settings: ChannelSettings): number {
  let taken = 0
  const inner: SampleSink = {
    series: () => 0,
    reading: (_takenAtUs, _series, values) => {
      taken += values.length
      return true
    },
    room: async () => {},
    reject: () => {},
  }
  const map = new Map([['a', settings]])
  const clock = { nowUs: () => START_US, monotonicMs: () => 0 }
  const ways = { declared: [], sensorSerial: undefined, staleAfterMs: undefined, clock }
  const sink = new ChannelSink({ device: 'bench', inner, settings: map, ...ways })
  const series = Uint32Array.of(sink.series('a', 'Cel')!)
  const values = new Float64Array(1)
  const before = process.cpuUsage()
  for (let n = 0; n < SAMPLES; n++) {
    values[0] = 20 + (n % 11) / 10
    sink.reading(START_US + n * 1000, series, values)
  }
  const { user, system } = process.cpuUsage(before)
  const leftOut = sink.figures()[0]?.suppressed.deadband ?? 0
  if (taken + leftOut !== SAMPLES) throw new Error(`${taken} of ${SAMPLES} values came out.`)
  return ((user + system) * 1000) / SAMPLES
}
