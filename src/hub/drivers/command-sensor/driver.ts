import { streamDriver } from '../contract/stream-driver.js'
import { LineFramer } from '../framing/line-framer.js'
import { DEFAULT_RATE_MS, MAX_ANSWER_BYTES, MAX_RATE_MS, MIN_RATE_MS } from './command-device.js'
import { SampleDecoder } from './sample-decoder.js'
import { VirtualCommandSensor } from './virtual-command-sensor.js'

export const driver = streamDriver({
  kind: 'stream',
  manifest: {
    name: 'command-sensor',
    summary: 'the serial device of the first TelemetryHub: SET_RATE, CALIBRATE, GET_STATUS, RESET',
    source: 'serial command protocol of the first TelemetryHub, with START, STOP and lines of samples',
    buses: ['serial', 'tcp'],
  },
  options: (field) => ({
    rate_ms: field.integer(MIN_RATE_MS, MAX_RATE_MS).default(DEFAULT_RATE_MS),
    start: field.flag().default(true),
    calibrate_on_start: field.flag().default(false),
    reset_on_start: field.flag().default(false),
    unit: field.text(32).default("[arb'U]"),
    sequence: field.flag().default(false),
    fault_after_samples: field.integer(0, 1_000_000_000).default(0),
    seed: field.integer(0, 0xffff_ffff).default(1),
  }),
  channels: ({ unit, sequence }) => [
    { name: 'value', quantity: 'value', unit, resolution: 1e-6 },
    ...(sequence ? [{ name: 'sequence', quantity: 'sample_number', unit: '' }] : []),
  ],
  silenceMs: ({ rateMs }) => Math.max(3000, 5 * rateMs),
  framer: () => new LineFramer(MAX_ANSWER_BYTES),
  decoder: ({ sequence }) => new SampleDecoder(sequence),
  startCommands: ({ rateMs, start, calibrateOnStart, resetOnStart }) =>
    [
      ...(resetOnStart ? ['RESET'] : []),
      `SET_RATE=${rateMs}`,
      ...(start ? ['START'] : []),
      ...(calibrateOnStart ? ['CALIBRATE'] : []),
    ].map((command) => Buffer.from(`${command}\n`)),
  stopCommands: ({ start }) => (start ? [Buffer.from('STOP\n')] : []),
  emulate: ({ faultAfterSamples, seed }) => new VirtualCommandSensor({ faultAfterSamples, seed }),
})
