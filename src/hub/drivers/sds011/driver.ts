import { streamDriver } from '../contract/stream-driver.js'
import { FixedFramer } from '../framing/fixed-framer.js'
import { DustDecoder } from './dust-decoder.js'
import { ANSWER, FRAME_BYTES, HEAD, READING, SET_MODE, SET_PERIOD, SET_SLEEP, setCommand, TAIL } from './frame.js'
import { VirtualSds011 } from './virtual-sds011.js'

/** After waking up it needs so long, at one reading a second. Laser dust sensor control protocol: at least 30 s. */
const WARM_UP_READINGS = 30
const EXAMPLE_ID = 0xa160

export const driver = streamDriver({
  kind: 'stream',
  manifest: {
    name: 'sds011',
    summary: 'fine dust PM2.5 and PM10, laser, SDS011 and SDS021',
    source: 'Laser Dust Sensor Control Protocol V1.3',
    buses: ['serial', 'tcp'],
  },
  options: (field) => ({
    period_minutes: field.integer(0, 30).default(0),
    warm_up_readings: field.integer(0, 3600).optional(),
    sleep_when_stopped: field.flag().default(true),
    device_id: field
      .text(4)
      .refine((id) => /^[\dA-F]{4}$/i.test(id), 'expected four hexadecimal digits, such as A160')
      .optional(),
  }),
  channels: () => [
    { name: 'pm2_5', quantity: 'pm2_5', unit: 'ug/m3', range: [0, 999.9], resolution: 0.1 },
    { name: 'pm10', quantity: 'pm10', unit: 'ug/m3', range: [0, 999.9], resolution: 0.1 },
  ],
  silenceMs: ({ periodMinutes }) => (periodMinutes === 0 ? 5000 : periodMinutes * 60_000 + 35_000),
  framer: () =>
    new FixedFramer({
      start: Uint8Array.of(HEAD),
      length: FRAME_BYTES,
      isFrame: (bytes) => (bytes[1] === READING || bytes[1] === ANSWER) && bytes[FRAME_BYTES - 1] === TAIL,
    }),
  decoder: ({ deviceId, periodMinutes, warmUpReadings }) =>
    // With a period it reads only at the end of its half minute awake.
    new DustDecoder({ deviceId, warmUpReadings: warmUpReadings ?? (periodMinutes === 0 ? WARM_UP_READINGS : 0) }),
  startCommands: ({ periodMinutes }) => [
    setCommand(SET_SLEEP, 1),
    setCommand(SET_MODE, 0),
    setCommand(SET_PERIOD, periodMinutes),
  ],
  stopCommands: ({ sleepWhenStopped }) => (sleepWhenStopped ? [setCommand(SET_SLEEP, 0)] : []),
  emulate: ({ deviceId }) => new VirtualSds011(deviceId === undefined ? EXAMPLE_ID : Number.parseInt(deviceId, 16)),
})
