import type { AcquisitionCost } from '../contract/polled-driver.js'
import { polledDriver } from '../contract/polled-driver.js'
import { acquire, initialise } from './acquire.js'
import { type Bme280Options, bme280Shape, longestMeasureMs } from './bme280-options.js'
import { STANDBY_MS } from './bme280-registers.js'
import { burstOf } from './burst.js'
import { readCalibration } from './calibration.js'
import { channels, decode } from './decode.js'
import { type Bme280Port, readRegisters } from './register-access.js'
import { virtualBme280 } from './virtual-bme280.js'

/** Address, register, value. */
const WRITE_BYTES = 3
/** Address, register, address again. */
const READ_HEAD_BYTES = 3

function cost(options: Bme280Options): AcquisitionCost {
  const burst = { bytes: READ_HEAD_BYTES + burstOf(options).length }
  if (options.mode === 'normal') return { transactions: [burst], conversionMs: 0 }
  return { transactions: [{ bytes: WRITE_BYTES }, burst], conversionMs: Math.ceil(longestMeasureMs(options)) }
}

function shortestEveryMs(options: Bme280Options): number {
  const standbyMs = options.mode === 'normal' ? Number(STANDBY_MS.find((ms) => ms === options.standbyMs)) : 0
  return Math.ceil(longestMeasureMs(options) + standbyMs)
}

export const driver = polledDriver({
  kind: 'polled',
  manifest: {
    name: 'bme280',
    summary: 'temperature, pressure and humidity: Bosch BME280, and BMP280 without humidity',
    source: 'Bosch BST-BME280-DS002 (BME280) and BST-BMP280-DS001 (BMP280)',
    buses: ['i2c', 'spi'],
    addresses: [0x76, 0x77],
    maxClockHz: 10_000_000,
    probe: { rule: 'register 0xD0 reads 0x60 (BME280) or 0x58 (BMP280)', isCertain: true },
  },
  options: bme280Shape,
  channels,
  cost,
  shortestEveryMs,
  async probe(port: Bme280Port) {
    const [id] = await readRegisters(port, 0xd0, 1)
    if (id !== 0x60 && id !== 0x58) return undefined
    return { isCertain: true, seen: `register 0xD0 reads 0x${id.toString(16)}, a ${id === 0x60 ? 'BME280' : 'BMP280'}` }
  },
  initialise: (port: Bme280Port, options, tools) => initialise(port, options, tools),
  acquire: (port: Bme280Port, options, tools) => acquire(port, options, tools),
  calibration: (bytes, options, fault) => readCalibration(bytes, options.chip, fault),
  decode,
  emulate: virtualBme280,
})
