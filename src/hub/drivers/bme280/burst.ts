import type { Fault } from '../contract/fault.js'
import { deadBus, hexByte } from '../registers/dead-bus.js'
import { type Bme280Options, registersOf } from './bme280-options.js'
import { MEASURING, MODE, REGISTER } from './bme280-registers.js'

/**
 * What one acquisition reads: from the first configuration register to the last data byte. So the data and what it
 * was measured with come together, and a chip that lost its configuration is noticed with the next reading.
 */
export interface Burst {
  readonly from: number
  readonly length: number
}

export function burstOf({ chip }: Bme280Options): Burst {
  return chip === 'bme280' ? { from: REGISTER.ctrlHum, length: 13 } : { from: REGISTER.status, length: 10 }
}

export function isMeasuring(raw: Uint8Array, options: Bme280Options): boolean {
  return (raw[REGISTER.status - burstOf(options).from] & MEASURING) !== 0
}

/** Why these bytes are not a measurement of a chip with these options; `undefined` when they are one. */
export function burstFault(raw: Uint8Array, options: Bme280Options): Fault | undefined {
  const { from, length } = burstOf(options)
  if (raw.length !== length) {
    return { fault: 'short', message: `A measurement has ${raw.length} bytes instead of ${length}; read it again.` }
  }
  const dead = deadBus(raw)
  if (dead) return { fault: 'io', message: `The chip does not answer, ${dead}; check its wiring and supply.` }
  const { ctrlHum, ctrlMeas, config } = registersOf(options)
  const mode = options.mode === 'normal' ? MODE.normal : MODE.sleep
  const foundMeas = raw[REGISTER.ctrlMeas - from]
  if (foundMeas !== (ctrlMeas | mode)) return lost('ctrl_meas', foundMeas, ctrlMeas | mode)
  const foundConfig = raw[REGISTER.config - from] & 0xfc
  if (foundConfig !== config) return lost('config', foundConfig, config)
  if (options.chip === 'bmp280') return undefined
  const foundHum = raw[REGISTER.ctrlHum - from] & 0x07
  return foundHum === ctrlHum ? undefined : lost('ctrl_hum', foundHum, ctrlHum)
}

function lost(name: string, found: number, wanted: number): Fault {
  const what = `Register ${name} reads ${hexByte(found)} instead of ${hexByte(wanted)}, so the chip was reset`
  return { fault: 'setup', message: `${what}; it must be set up again, check its supply if this comes back.` }
}
