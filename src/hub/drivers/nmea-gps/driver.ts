import { streamDriver } from '../contract/stream-driver.js'
import { EpochDecoder } from './epoch-decoder.js'
import { gpsChannels } from './gps-channels.js'
import { writeSentence } from './sentence.js'
import { SentenceFramer } from './sentence-framer.js'
import { VirtualGps } from './virtual-gps.js'

export const driver = streamDriver({
  kind: 'stream',
  manifest: {
    name: 'nmea-gps',
    summary: 'position, speed and time of a satellite receiver',
    source: 'NMEA 0183 2.30 to 4.10',
    buses: ['serial', 'tcp'],
  },
  options: (field) => ({
    rate_hz: field.number(0.01, 50).default(1),
    utc_time: field.flag().default(false),
    commands: field.list(field.text(80)).default([]),
  }),
  channels: gpsChannels,
  silenceMs: ({ rateHz }) => Math.max(3000, 5000 / rateHz),
  framer: () => new SentenceFramer(),
  decoder: (options) => new EpochDecoder(gpsChannels(options).length),
  startCommands: ({ commands }) => commands.map(writeSentence),
  emulate: ({ rateHz }) => new VirtualGps(rateHz),
})
