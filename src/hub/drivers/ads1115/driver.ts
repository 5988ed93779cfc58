import { polledDriver } from '../contract/polled-driver.js'
import type { I2cPort } from '../contract/ports.js'
import { READ_WORD_BYTES, readWord, WRITE_WORD_BYTES } from '../registers/word-registers.js'
import { acquire, initialise } from './acquire.js'
import { type Ads1115Options, ads1115Shape, longestConversionMs } from './ads1115-config.js'
import { channelsOf, decode } from './decode.js'
import { VirtualAds1115 } from './virtual-ads1115.js'

/** Start, look whether it is done, fetch. */
const CHANNEL_TRANSACTIONS = [WRITE_WORD_BYTES, READ_WORD_BYTES, READ_WORD_BYTES].map((bytes) => ({ bytes }))

function conversionsMs({ channels }: Ads1115Options): number {
  return channels.reduce((sum, channel) => sum + Math.ceil(longestConversionMs(channel)), 0)
}

export const driver = polledDriver({
  kind: 'polled',
  manifest: {
    name: 'ads1115',
    summary: 'four voltages, or differences of them, in 16 bits: Texas Instruments ADS1115',
    source: 'Texas Instruments SBAS444 (ADS1113, ADS1114, ADS1115), section Register Map',
    buses: ['i2c'],
    addresses: [0x48, 0x49, 0x4a, 0x4b],
    maxClockHz: 400_000,
    probe: { rule: 'registers 2 and 3 read 0x8000 and 0x7FFF after a reset', isCertain: false },
  },
  options: ads1115Shape,
  channels: channelsOf,
  cost: (options) => ({
    transactions: options.channels.flatMap(() => CHANNEL_TRANSACTIONS),
    conversionMs: conversionsMs(options),
  }),
  shortestEveryMs: conversionsMs,
  async probe(port: I2cPort) {
    const limits = [await readWord(port, 2), await readWord(port, 3)]
    if (limits[0] !== 0x8000 || limits[1] !== 0x7fff) return undefined
    return { isCertain: false, seen: 'registers 2 and 3 read 0x8000 and 0x7FFF' }
  },
  initialise: (port: I2cPort, _options, tools) => initialise(port, tools),
  acquire: (port: I2cPort, options, tools) => acquire(port, options, tools),
  calibration: () => undefined,
  decode: (raw, _calibration, options, note) => decode(raw, options, note),
  emulate: () => new VirtualAds1115(),
})
