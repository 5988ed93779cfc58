import type { DriverTools } from '../contract/polled-driver.js'
import { deadBus, hexByte } from '../registers/dead-bus.js'
import { type Bme280Options, longestMeasureMs, registersOf } from './bme280-options.js'
import {
  CALIBRATION_BYTES,
  CALIBRATION_BYTES_WITH_H1,
  CHIP_ID,
  COPYING,
  HUMIDITY_CALIBRATION_BYTES,
  MODE,
  REGISTER,
  RESET_WORD,
} from './bme280-registers.js'
import { burstFault, burstOf, isMeasuring } from './burst.js'
import { type Bme280Port, readRegisters, writeRegisters } from './register-access.js'

/** Start-up takes 2 ms (datasheet table 1). */
const START_MS = 3
/** How often a chip that is late is looked at again, once each millisecond. */
const EXTRA_LOOKS = 10
/** What identifies the chips that are mistaken for one another. */
const KNOWN_IDS: Readonly<Record<number, string>> = {
  0: 'nothing answers, check the wiring',
  255: 'nothing answers, check the wiring',
  86: 'it is a BMP280 sample, set chip: bmp280 only for a production part',
  87: 'it is a BMP280 sample, set chip: bmp280 only for a production part',
  88: 'it is a BMP280, which has no humidity, set chip: bmp280',
  96: 'it is a BME280, set chip: bme280',
  97: 'it is a BME680, which this driver does not know',
}

/** Identity, reset, calibration, configuration; in normal mode the chip measures from then on. */
export async function initialise(port: Bme280Port, options: Bme280Options, tools: DriverTools): Promise<Uint8Array> {
  const [id] = await readRegisters(port, REGISTER.id, 1)
  if (id !== CHIP_ID[options.chip]) {
    const what = KNOWN_IDS[id] ?? 'it is another chip, check the address'
    throw tools.fault('identity', `Register 0xD0 reads ${hexByte(id)}, not ${hexByte(CHIP_ID[options.chip])}: ${what}.`)
  }
  await writeRegisters(port, [REGISTER.reset, RESET_WORD])
  await tools.pause(START_MS)
  await calibrationCopied(port, tools)
  const calibration = await readCalibrationBytes(port, options)
  const { ctrlHum, ctrlMeas, config } = registersOf(options)
  // In normal mode the chip may ignore writes to config (datasheet section 5.4.6), so it is written in sleep.
  await writeRegisters(port, [REGISTER.config, config])
  if (options.chip === 'bme280') await writeRegisters(port, [REGISTER.ctrlHum, ctrlHum])
  const mode = options.mode === 'normal' ? MODE.normal : MODE.sleep
  await writeRegisters(port, [REGISTER.ctrlMeas, ctrlMeas | mode])
  return calibration
}

async function calibrationCopied(port: Bme280Port, tools: DriverTools): Promise<void> {
  for (let look = 0; look <= EXTRA_LOOKS; look++) {
    const [status] = await readRegisters(port, REGISTER.status, 1)
    if ((status & COPYING) === 0) return
    await tools.pause(1)
  }
  throw tools.fault('timeout', 'The chip does not end to copy its calibration after a reset; check its supply.')
}

async function readCalibrationBytes(port: Bme280Port, { chip }: Bme280Options): Promise<Uint8Array> {
  if (chip === 'bmp280') return readRegisters(port, REGISTER.calibration, CALIBRATION_BYTES)
  const first = await readRegisters(port, REGISTER.calibration, CALIBRATION_BYTES_WITH_H1)
  const second = await readRegisters(port, REGISTER.humidityCalibration, HUMIDITY_CALIBRATION_BYTES)
  return Uint8Array.of(...first, ...second)
}

/**
 * Forced mode: starts a measurement and fetches it when it is done. Normal mode: fetches the newest.
 *
 * @throws `setup` the chip has lost its configuration, `timeout` it does not end to measure, `io` a dead bus
 */
export async function acquire(port: Bme280Port, options: Bme280Options, tools: DriverTools): Promise<Uint8Array> {
  const isForced = options.mode === 'forced'
  if (isForced) {
    await writeRegisters(port, [REGISTER.ctrlMeas, registersOf(options).ctrlMeas | MODE.forced])
    await tools.pause(Math.ceil(longestMeasureMs(options)))
  }
  const { from, length } = burstOf(options)
  for (let look = 0; look <= EXTRA_LOOKS; look++) {
    const raw = await readRegisters(port, from, length)
    // A line that is held high shows a chip that measures, too: it is no chip.
    const isOver = !isForced || deadBus(raw) !== undefined || !isMeasuring(raw, options)
    if (isOver) return checked(raw, options, tools)
    await tools.pause(1)
  }
  throw tools.fault('timeout', 'The chip does not end to measure; check its wiring and supply.')
}

function checked(raw: Uint8Array, options: Bme280Options, tools: DriverTools): Uint8Array {
  const found = burstFault(raw, options)
  if (found) throw tools.fault(found.fault, found.message)
  return raw
}
