import { type DriverTools, polledDriver } from '../contract/polled-driver.js'
import type { I2cPort } from '../contract/ports.js'
import { readIfReady, readMeasured } from '../sensirion/answer.js'
import { wordsOf } from '../sensirion/checked-words.js'
import { CLIMATE_BYTES, climateChannels, decodeClimate, type HumidityScale } from '../sensirion/climate.js'
import { COMMAND, MEASUREMENT, RESET_MS, type Sht4xOptions, sht4xShape } from './sht4x-commands.js'
import { VirtualSht4x } from './virtual-sht4x.js'

/** Datasheet section 4.6: the scale reaches beyond 0..100 %, what is beyond is cropped. */
export const SHT4X_HUMIDITY: HumidityScale = { offset: -6, span: 125 }

/** Resets and reads the serial number, two checked words, which an SHT3x at the same address does not have. */
async function initialise(port: I2cPort, tools: DriverTools): Promise<Uint8Array> {
  await port.write(Uint8Array.of(COMMAND.softReset))
  await tools.pause(RESET_MS + 1)
  await port.write(Uint8Array.of(COMMAND.readSerial))
  await tools.pause(1)
  const bytes = await readIfReady(port, CLIMATE_BYTES)
  const serial = bytes && wordsOf(bytes, 2)
  if (!serial || ('fault' in serial && serial.fault === 'crc')) {
    const what = 'The serial number cannot be read with its checksums, so this is no SHT4x'
    throw tools.fault('identity', `${what}; an SHT3x at the same address has driver: sht3x.`)
  }
  if ('fault' in serial) throw tools.fault(serial.fault, serial.message)
  return new Uint8Array(0)
}

/** The chip keeps nothing between two measurements, so a reset behind our back costs at most the one that runs. */
async function acquire(port: I2cPort, { repeatability }: Sht4xOptions, tools: DriverTools): Promise<Uint8Array> {
  const { command, ms } = MEASUREMENT[repeatability]
  await port.write(Uint8Array.of(command))
  return readMeasured(port, ms, CLIMATE_BYTES, tools)
}

export const driver = polledDriver({
  kind: 'polled',
  manifest: {
    name: 'sht4x',
    summary: 'temperature and humidity: Sensirion SHT40, SHT41, SHT45',
    source: 'Sensirion SHT4x datasheet, version 6, section 4',
    buses: ['i2c'],
    addresses: [0x44, 0x45, 0x46],
    maxClockHz: 1_000_000,
    probe: { rule: 'answers command 0x89 with a serial number whose checksums fit', isCertain: false },
  },
  options: sht4xShape,
  channels: () => climateChannels(SHT4X_HUMIDITY),
  cost: ({ repeatability }) => ({
    transactions: [{ bytes: 2 }, { bytes: 1 + CLIMATE_BYTES }],
    conversionMs: Math.ceil(MEASUREMENT[repeatability].ms),
  }),
  shortestEveryMs: ({ repeatability }) => Math.ceil(MEASUREMENT[repeatability].ms),
  async probe(port: I2cPort, tools) {
    await port.write(Uint8Array.of(COMMAND.readSerial))
    await tools.pause(1)
    const serial = wordsOf(await port.read(CLIMATE_BYTES), 2)
    return 'fault' in serial ? undefined : { isCertain: false, seen: 'gives a serial number whose checksums fit' }
  },
  initialise: (port: I2cPort, _options, tools) => initialise(port, tools),
  acquire: (port: I2cPort, options, tools) => acquire(port, options, tools),
  calibration: () => undefined,
  decode: (raw, _calibration, _options, note) => decodeClimate(raw, SHT4X_HUMIDITY, note),
  emulate: () => new VirtualSht4x(SHT4X_HUMIDITY),
})
