import { type AcquisitionCost, polledDriver } from '../contract/polled-driver.js'
import type { I2cPort } from '../contract/ports.js'
import { READ_WORD_BYTES, readWord, WRITE_WORD_BYTES } from '../registers/word-registers.js'
import { acquire, initialise } from './acquire.js'
import { channelsOf, decode } from './decode.js'
import { REGISTER, RESET_CONFIG } from './ina219-registers.js'
import { type Ina219Options, ina219Shape, longestConversionMs, READ_ORDER, settingsOf } from './ina219-settings.js'
import { VirtualIna219 } from './virtual-ina219.js'

function cost(options: Ina219Options): AcquisitionCost {
  // One look whether it is done, and the registers.
  const reads = Array.from({ length: 1 + READ_ORDER.length }, () => ({ bytes: READ_WORD_BYTES }))
  if (options.mode === 'continuous') return { transactions: reads, conversionMs: 0 }
  const conversionMs = Math.ceil(longestConversionMs(options))
  return { transactions: [{ bytes: WRITE_WORD_BYTES }, ...reads], conversionMs }
}

export const driver = polledDriver({
  kind: 'polled',
  manifest: {
    name: 'ina219',
    summary: 'voltage, current and power of a supply: Texas Instruments INA219',
    source: 'Texas Instruments SBOS448, sections Programming and Register Maps',
    buses: ['i2c'],
    addresses: Array.from({ length: 16 }, (_, at) => 0x40 + at),
    maxClockHz: 400_000,
    probe: { rule: 'register 0 reads 0x399F after a reset', isCertain: false },
  },
  options: ina219Shape,
  channels: channelsOf,
  cost,
  shortestEveryMs: (options) => Math.ceil(longestConversionMs(options)),
  async probe(port: I2cPort) {
    const isReset = (await readWord(port, REGISTER.config)) === RESET_CONFIG
    return isReset ? { isCertain: false, seen: 'register 0 reads 0x399F' } : undefined
  },
  initialise: (port: I2cPort, options, tools) => initialise(port, options, tools),
  acquire: (port: I2cPort, options, tools) => acquire(port, options, tools),
  calibration: (_bytes, options, fault) => settingsOf(options, fault),
  decode: (raw, settings, _options, note) => decode(raw, settings, note),
  emulate: (options) => new VirtualIna219(options.shuntOhms),
})
