import { type AcquisitionCost, polledDriver } from '../contract/polled-driver.js'
import type { I2cPort } from '../contract/ports.js'
import { CHECKED_WORD_BYTES, wordsOf } from '../sensirion/checked-words.js'
import { CLIMATE_BYTES, climateChannels, decodeClimate, type HumidityScale } from '../sensirion/climate.js'
import { acquire, initialise } from './acquire.js'
import { COMMAND, type Sht3xOptions, sht3xShape, singleMeasurement } from './sht3x-commands.js'
import { VirtualSht3x } from './virtual-sht3x.js'

/** Datasheet section 4.13. */
export const SHT3X_HUMIDITY: HumidityScale = { offset: 0, span: 100 }
/** Address and command. */
const COMMAND_BYTES = 3
const READ_BYTES = 1 + CLIMATE_BYTES
/** Address, word, checksum. */
const STATUS_BYTES = 4

function cost(options: Sht3xOptions): AcquisitionCost {
  const fetch = [{ bytes: COMMAND_BYTES }, { bytes: READ_BYTES }]
  if (options.mode === 'single') return { transactions: fetch, conversionMs: Math.ceil(singleMeasurement(options).ms) }
  return { transactions: [...fetch, { bytes: COMMAND_BYTES }, { bytes: STATUS_BYTES }], conversionMs: 0 }
}

export const driver = polledDriver({
  kind: 'polled',
  manifest: {
    name: 'sht3x',
    summary: 'temperature and humidity: Sensirion SHT30, SHT31, SHT35, SHT85',
    source: 'Sensirion SHT3x-DIS datasheet, version 7, section 4',
    buses: ['i2c'],
    addresses: [0x44, 0x45],
    maxClockHz: 1_000_000,
    probe: { rule: 'answers command 0xF32D with a status whose checksum fits', isCertain: false },
  },
  options: sht3xShape,
  channels: () => climateChannels(SHT3X_HUMIDITY),
  cost,
  shortestEveryMs: (options) =>
    options.mode === 'single' ? Math.ceil(singleMeasurement(options).ms) : 1000 / Number(options.rateHz),
  async probe(port: I2cPort) {
    await port.write(Uint8Array.of(COMMAND.readStatus >> 8, COMMAND.readStatus & 0xff))
    const status = wordsOf(await port.read(CHECKED_WORD_BYTES), 1)
    return 'fault' in status ? undefined : { isCertain: false, seen: 'gives a status whose checksum fits' }
  },
  initialise: (port: I2cPort, options, tools) => initialise(port, options, tools),
  acquire: (port: I2cPort, options, tools) => acquire(port, options, tools),
  calibration: () => undefined,
  decode: (raw, _calibration, _options, note) => decodeClimate(raw, SHT3X_HUMIDITY, note),
  emulate: () => new VirtualSht3x(SHT3X_HUMIDITY),
})
