import { QUALITY, type Quality } from '#core/model/quality'
import type { Decoded, Note } from '../contract/decoded.js'
import type { Fault } from '../contract/fault.js'
import type { Channel } from '../contract/manifest.js'
import { deadBus, hexWord } from '../registers/dead-bus.js'
import { signedWordAt, wordAt } from '../registers/word-registers.js'
import { BUS_STEP_V, GAIN_V, OVERFLOW, POWER_STEPS, SHUNT_STEP_V } from './ina219-registers.js'
import { fullScaleCode, type Ina219Options, type Ina219Settings, READ_ORDER, wishOf } from './ina219-settings.js'

/** Where the registers stand in an acquisition, see `READ_ORDER`. */
const AT = { config: 0, calibration: 2, shunt: 4, bus: 6, current: 8, power: 10 } as const
/** The bus pin stands no more, whatever the range (section "Recommended Operating Conditions"). */
const HIGHEST_BUS_V = 26

export function channelsOf(options: Ina219Options): readonly Channel[] {
  const { stepA, gain } = wishOf(options)
  const gainV = GAIN_V[gain] ?? GAIN_V[3]
  const highestA = options.maxCurrentA
  const highestV = Math.min(Number(options.busRangeV), HIGHEST_BUS_V)
  return [
    { name: 'bus_voltage', quantity: 'voltage', unit: 'V', range: [0, highestV], resolution: BUS_STEP_V },
    { name: 'shunt_voltage', quantity: 'voltage', unit: 'V', range: [-gainV, gainV], resolution: SHUNT_STEP_V },
    {
      name: 'current',
      quantity: 'current',
      unit: 'A',
      range: [-highestA, highestA],
      resolution: Math.max(stepA, SHUNT_STEP_V / options.shuntOhms),
    },
    {
      name: 'power',
      quantity: 'power',
      unit: 'W',
      range: [0, highestA * highestV],
      resolution: POWER_STEPS * stepA,
    },
  ]
}

/** One reading; shunt and bus were converted one after the other, not together. */
export function decode(raw: Uint8Array, settings: Ina219Settings, note?: Note): Decoded {
  if (raw.length === 0) return []
  const found = acquisitionFault(raw, settings)
  if (found) return found
  const shunt = signedWordAt(raw, AT.shunt)
  const bus = wordAt(raw, AT.bus)
  const current = signedWordAt(raw, AT.current)
  const power = wordAt(raw, AT.power)
  const { currentStepA } = settings
  const values = [
    (bus >> 3) * BUS_STEP_V,
    shunt * SHUNT_STEP_V,
    current * currentStepA,
    power * POWER_STEPS * currentStepA,
  ]
  note?.('config', hexWord(wordAt(raw, AT.config)))
  note?.('calibration', settings.calibration, 'trunc(0.04096 / (current step * shunt))')
  note?.('current step', currentStepA, '0.04096 / (calibration * shunt)')
  note?.('bus register', hexWord(bus), 'bits 15..3 voltage, bit 1 converted, bit 0 overflow')
  note?.('bus_voltage', values[0], '(bus >> 3) * 4 mV')
  note?.('shunt_voltage', values[1], `${shunt} * 10 uV`)
  note?.('current', values[2], `${current} * current step`)
  note?.('power', values[3], `${power} * 20 * current step`)
  const saturated = Math.abs(shunt) >= fullScaleCode(settings)
  const computed: Quality = saturated || (bus & OVERFLOW) !== 0 ? QUALITY.range : QUALITY.good
  const quality = [QUALITY.good, saturated ? QUALITY.range : QUALITY.good, computed, computed]
  return [{ ageUs: 0, values, quality }]
}

/** Why these registers are not those of a chip with these settings; `undefined` when they are. */
export function acquisitionFault(raw: Uint8Array, { config, calibration }: Ina219Settings): Fault | undefined {
  const wanted = 2 * READ_ORDER.length
  if (raw.length !== wanted) {
    return { fault: 'short', message: `An acquisition has ${raw.length} bytes instead of ${wanted}; read it again.` }
  }
  const dead = deadBus(raw)
  if (dead) return { fault: 'io', message: `The chip does not answer, ${dead}; check its wiring and supply.` }
  const checks: [name: string, found: number, wanted: number][] = [
    ['calibration', wordAt(raw, AT.calibration), calibration],
    ['config', wordAt(raw, AT.config), config],
  ]
  for (const [name, found, value] of checks) {
    if (found === value) continue
    const what = `The ${name} register reads ${hexWord(found)} instead of ${hexWord(value)}, so the chip was reset`
    return { fault: 'setup', message: `${what}; it must be set up again, check its supply if this comes back.` }
  }
  return undefined
}
