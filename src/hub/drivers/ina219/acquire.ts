import type { DriverTools } from '../contract/polled-driver.js'
import type { I2cPort } from '../contract/ports.js'
import { hexWord } from '../registers/dead-bus.js'
import { readWord, writeWord } from '../registers/word-registers.js'
import { acquisitionFault } from './decode.js'
import { CONVERTED, MODE, REGISTER, RESET, RESET_CONFIG } from './ina219-registers.js'
import { type Ina219Options, longestConversionMs, READ_ORDER, settingsOf } from './ina219-settings.js'

/** How often a conversion that is late is looked at again, once each millisecond. */
const EXTRA_LOOKS = 10

/** The chip has no identity: it shows by what its config register reads after a reset. */
export async function initialise(port: I2cPort, options: Ina219Options, tools: DriverTools): Promise<Uint8Array> {
  const { config, calibration } = settingsOf(options, tools.fault)
  await writeWord(port, REGISTER.config, RESET)
  const found = await readWord(port, REGISTER.config)
  if (found !== RESET_CONFIG) {
    const what = `The config register reads ${hexWord(found)} after a reset, not ${hexWord(RESET_CONFIG)}`
    throw tools.fault('identity', `${what}, so this is no INA219; check the address and the wiring.`)
  }
  await writeWord(port, REGISTER.calibration, calibration)
  const isContinuous = options.mode === 'continuous'
  await writeWord(port, REGISTER.config, isContinuous ? config : config - MODE.triggered + MODE.powerDown)
  return new Uint8Array(0)
}

/**
 * Twelve bytes: the six registers. Continuous mode: empty while nothing was converted since the last time.
 *
 * @throws `setup` calibration or configuration are lost: supply failed behind our back; `timeout` no end of conversion
 */
export async function acquire(port: I2cPort, options: Ina219Options, tools: DriverTools): Promise<Uint8Array> {
  const settings = settingsOf(options, tools.fault)
  const isTriggered = options.mode === 'triggered'
  if (isTriggered) {
    await writeWord(port, REGISTER.config, settings.config)
    await tools.pause(Math.ceil(longestConversionMs(options)))
  }
  const isConverted = await waitForConversion(port, isTriggered ? EXTRA_LOOKS : 0, tools)
  if (isTriggered && !isConverted) {
    throw tools.fault('timeout', 'The chip does not end to convert; check its wiring and supply.')
  }
  const raw = new Uint8Array(2 * READ_ORDER.length)
  const view = new DataView(raw.buffer)
  for (const [at, register] of READ_ORDER.entries()) view.setUint16(2 * at, await readWord(port, register))
  const found = acquisitionFault(raw, settings)
  if (found) throw tools.fault(found.fault, found.message)
  return isConverted ? raw : new Uint8Array(0)
}

async function waitForConversion(port: I2cPort, extraLooks: number, tools: DriverTools): Promise<boolean> {
  for (let look = 0; ; look++) {
    if ((await readWord(port, REGISTER.bus)) & CONVERTED) return true
    if (look >= extraLooks) return false
    await tools.pause(1)
  }
}
