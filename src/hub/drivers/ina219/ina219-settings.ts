import type { FaultKind } from '../contract/fault.js'
import type { OptionFields, OptionsOf } from '../contract/option-fields.js'
import {
  AVERAGES,
  adcCode,
  CALIBRATION_SCALE,
  GAIN_V,
  longestAdcMs,
  MODE,
  REGISTER,
  SHUNT_STEP_V,
} from './ina219-registers.js'

export function ina219Shape({ number, oneOf }: OptionFields) {
  return {
    shunt_ohms: number(0.0001, 1000).default(0.1),
    max_current_a: number(0.0001, 10_000).default(3.2),
    current_step_a: number(1e-7, 10).optional(),
    bus_range_v: oneOf('16', '32').default('32'),
    averages: oneOf(...AVERAGES).default('1'),
    mode: oneOf('triggered', 'continuous').default('triggered'),
  }
}

export type Ina219Options = OptionsOf<ReturnType<typeof ina219Shape>>

/** What the options come to in the registers. */
export interface Ina219Settings {
  readonly config: number
  readonly calibration: number
  /** Amperes in one step of the current register; what the truncated calibration really gives. */
  readonly currentStepA: number
  /** Full scale of the shunt voltage that was chosen. */
  readonly gainV: number
}

/** Bit 0 of the calibration register cannot be written (section "Calibration Register"). */
const HIGHEST_CALIBRATION = 0xfffe
const CURRENT_CODES = 32_767

/** What the options ask for, whether the chip can do it or not. */
export function wishOf(options: Ina219Options) {
  const highestV = options.maxCurrentA * options.shuntOhms
  const gain = GAIN_V.findIndex((volts) => highestV <= volts * (1 + 1e-9))
  const stepA = options.currentStepA ?? roundUp(options.maxCurrentA / CURRENT_CODES)
  const exact = CALIBRATION_SCALE / (stepA * options.shuntOhms)
  return { highestV, gain, stepA, calibration: Math.trunc(exact * (1 + 1e-12)) }
}

/**
 * The smallest gain that `max_current_a` fits in, and a step of current of 1, 2 or 5 times a power of ten that reaches it.
 *
 * @throws `setup` no gain or no calibration fits
 */
export function settingsOf(options: Ina219Options, fault: (kind: FaultKind, message: string) => Error): Ina219Settings {
  const { highestV, gain, stepA, calibration: wanted } = wishOf(options)
  if (gain < 0) {
    const what = `${options.maxCurrentA} A in ${options.shuntOhms} ohms are ${highestV} V, and the chip measures 0.32 V`
    throw fault('setup', `${what}; lower max_current_a or take a smaller shunt.`)
  }
  if (wanted < 2 || wanted > HIGHEST_CALIBRATION) {
    const what = `Steps of ${stepA} A with ${options.shuntOhms} ohms need a calibration of ${wanted}`
    throw fault('setup', `${what}, the chip takes 2 to ${HIGHEST_CALIBRATION}; choose another current_step_a.`)
  }
  const calibration = wanted & HIGHEST_CALIBRATION
  const range = options.busRangeV === '32' ? 1 : 0
  const mode = options.mode === 'continuous' ? MODE.continuous : MODE.triggered
  const adc = adcCode(Number(options.averages))
  return {
    config: (range << 13) | (gain << 11) | (adc << 7) | (adc << 3) | mode,
    calibration,
    currentStepA: CALIBRATION_SCALE / (calibration * options.shuntOhms),
    gainV: GAIN_V[gain],
  }
}

/** Codes of the shunt register at full scale. */
export function fullScaleCode({ gainV }: Ina219Settings): number {
  return Math.round(gainV / SHUNT_STEP_V)
}

/** Shunt and bus are converted one after the other. */
export function longestConversionMs({ averages }: Ina219Options): number {
  return 2 * longestAdcMs(Number(averages))
}

/** In this order an acquisition has the registers; power is the last to be read, as that ends a conversion. */
export const READ_ORDER = [
  REGISTER.config,
  REGISTER.calibration,
  REGISTER.shunt,
  REGISTER.bus,
  REGISTER.current,
  REGISTER.power,
] as const

function roundUp(step: number): number {
  const power = 10 ** Math.floor(Math.log10(step))
  return ([1, 2, 5, 10].find((digit) => digit * power >= step * (1 - 1e-9)) ?? 10) * power
}
