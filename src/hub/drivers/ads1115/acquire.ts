import type { DriverTools } from '../contract/polled-driver.js'
import type { I2cPort } from '../contract/ports.js'
import { hexWord } from '../registers/dead-bus.js'
import { readWord, writeWord } from '../registers/word-registers.js'
import { type Ads1115Options, configOf, IDLE, longestConversionMs, REGISTER } from './ads1115-config.js'
import { conversionFault } from './decode.js'

/** Kept by the sixteen bits of the threshold registers, not by a chip with fewer or other registers. */
const PATTERN = 0x8aa5
/** Thresholds after a reset. */
const LOW_THRESHOLD = 0x8000
const HIGH_THRESHOLD = 0x7fff
/** How often a conversion that is late is looked at again, once each millisecond. */
const EXTRA_LOOKS = 10

/** The chip has no identity: what it is shows by its threshold registers, which the driver does not use otherwise. */
export async function initialise(port: I2cPort, tools: DriverTools): Promise<Uint8Array> {
  await writeWord(port, REGISTER.lowThreshold, PATTERN)
  const kept = await readWord(port, REGISTER.lowThreshold)
  if (kept !== PATTERN) {
    const what = `Register 2 keeps ${hexWord(kept)} where ${hexWord(PATTERN)} was written`
    throw tools.fault('identity', `${what}, so this is no ADS1115; check the address and the wiring.`)
  }
  await writeWord(port, REGISTER.lowThreshold, LOW_THRESHOLD)
  await writeWord(port, REGISTER.highThreshold, HIGH_THRESHOLD)
  return new Uint8Array(0)
}

/**
 * One conversion after another, as the chip has a single converter. Four bytes a channel: the config register as it
 * reads afterwards, and the conversion.
 *
 * @throws `timeout` a conversion does not end, `setup` the config register is not as written: the chip was reset
 */
export async function acquire(port: I2cPort, { channels }: Ads1115Options, tools: DriverTools): Promise<Uint8Array> {
  const raw = new Uint8Array(4 * channels.length)
  const view = new DataView(raw.buffer)
  for (const [at, channel] of channels.entries()) {
    await writeWord(port, REGISTER.config, configOf(channel))
    await tools.pause(Math.ceil(longestConversionMs(channel)))
    view.setUint16(4 * at, await configWhenDone(port, tools))
    view.setUint16(4 * at + 2, await readWord(port, REGISTER.conversion))
    const found = conversionFault(raw, 4 * at, channel)
    if (found) throw tools.fault(found.fault, found.message)
  }
  return raw
}

async function configWhenDone(port: I2cPort, tools: DriverTools): Promise<number> {
  for (let look = 0; look <= EXTRA_LOOKS; look++) {
    const config = await readWord(port, REGISTER.config)
    if (config & IDLE) return config
    await tools.pause(1)
  }
  throw tools.fault('timeout', 'The chip does not end to convert; check its wiring and supply.')
}
