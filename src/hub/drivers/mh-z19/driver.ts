import { QUALITY } from '#core/model/quality'
import { polledDriver } from '../contract/polled-driver.js'
import type { LinePort } from '../contract/ports.js'
import {
  AUTO_BASELINE,
  answerLength,
  checksum,
  command,
  FRAME_BYTES,
  findAnswer,
  isAnswer,
  READ_CO2,
  SET_RANGE,
} from './frame.js'
import { VirtualMhZ19 } from './virtual-mh-z19.js'

/** The sensor does not say how long it has been warm, so the steady clock is noted beside its bytes. */
const STAMP_BYTES = 8

export const driver = polledDriver({
  kind: 'polled',
  manifest: {
    name: 'mh-z19',
    summary: 'carbon dioxide, infrared, MH-Z19, MH-Z19B and MH-Z19C',
    source: 'MH-Z19 user manual V1.0, MH-Z19B user manual V1.5',
    buses: ['serial', 'tcp'],
  },
  options: (field) => ({
    warm_up: field.durationMs(0, 3_600_000).default(180_000),
    auto_baseline: field.flag().optional(),
    range_ppm: field.integer(1000, 10_000).optional(),
  }),
  channels: ({ rangePpm }) => [
    { name: 'co2', quantity: 'carbon_dioxide', unit: '[ppm]', range: [0, rangePpm ?? 5000], resolution: 1 },
  ],
  cost: () => ({ transactions: [{ bytes: 2 * FRAME_BYTES }], conversionMs: 0, answerMs: 10 }),
  shortestEveryMs: () => 1000,
  async initialise(port: LinePort, { autoBaseline, rangePpm }) {
    // Both are kept in the sensor's own memory, and change how it measures for ever: only when the file says so.
    if (autoBaseline !== undefined) await port.write(command(AUTO_BASELINE, autoBaseline ? 0xa0 : 0))
    if (rangePpm !== undefined) await port.write(command(SET_RANGE, 0, 0, 0, rangePpm >> 8, rangePpm & 0xff))
    return stamp(performance.now())
  },
  async acquire(port: LinePort, _options, tools) {
    const bytes = await port.exchange(command(READ_CO2), answerLength)
    const start = findAnswer(bytes)
    if (start !== -1) return Buffer.concat([bytes.subarray(start), stamp(performance.now())])
    if (isAnswer(bytes)) throw tools.fault('crc', 'The checksum of the answer does not fit: check the cable.')
    throw tools.fault('decode', 'What came is no answer of an MH-Z19: check the port, and 9600 baud 8N1.')
  },
  /** The steady clock, in milliseconds, when the sensor may have been switched on. */
  calibration(bytes, _options, fault) {
    const startedMs = bytes.length === STAMP_BYTES ? readStamp(bytes) : Number.NaN
    if (Number.isFinite(startedMs)) return startedMs
    throw fault('setup', 'The time of the start is missing: initialise it again.')
  },
  decode(raw, startedMs, { warmUp }, note) {
    if (raw.length !== FRAME_BYTES + STAMP_BYTES) {
      return {
        fault: 'short',
        message: `An answer has ${FRAME_BYTES} bytes and its time, not ${raw.length}: read again.`,
      }
    }
    const answer = raw.subarray(0, FRAME_BYTES)
    if (!isAnswer(answer)) return { fault: 'decode', message: 'This is no answer of an MH-Z19: check the port.' }
    if (checksum(answer) !== answer[FRAME_BYTES - 1]) {
      return { fault: 'crc', message: 'The checksum of the answer does not fit: check the cable.' }
    }
    const co2 = answer[2] * 256 + answer[3]
    note?.('co2', co2, `${answer[2]} x 256 + ${answer[3]}`)
    const isWarm = readStamp(raw.subarray(FRAME_BYTES)) - startedMs >= warmUp
    return [{ ageUs: 0, values: [co2], quality: [isWarm ? QUALITY.good : QUALITY.warming] }]
  },
  emulate: () => new VirtualMhZ19(),
})

function stamp(ms: number): Uint8Array {
  const bytes = new Uint8Array(STAMP_BYTES)
  new DataView(bytes.buffer).setFloat64(0, ms)
  return bytes
}

function readStamp(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0)
}
