/** Register map (INA219 datasheet SBOS448, section "Register Maps"). */
export const REGISTER = { config: 0, shunt: 1, bus: 2, power: 3, current: 4, calibration: 5 } as const

export const RESET = 0x8000
export const RESET_CONFIG = 0x399f
/** Bits of the bus register: converted since power was read or config written; current or power beyond their registers. */
export const CONVERTED = 0x0002
export const OVERFLOW = 0x0001

export const MODE = { powerDown: 0, triggered: 3, continuous: 7 } as const
export const SHUNT_STEP_V = 10e-6
export const BUS_STEP_V = 4e-3
/** One step of power is so many steps of current (section "Programming"). */
export const POWER_STEPS = 20
/** What the calibration register is made of (equation 1). */
export const CALIBRATION_SCALE = 0.04096

/** Full scale of the shunt voltage by PG code, volts (bits 12..11 of the config register). */
export const GAIN_V = [0.04, 0.08, 0.16, 0.32] as const
export const AVERAGES = ['1', '2', '4', '8', '16', '32', '64', '128'] as const

/** ADC code of so many averaged samples of 12 bits (ADC settings of the config register): 3 for one, 8 + log2 for more. */
export function adcCode(averages: number): number {
  return averages === 1 ? 3 : 8 + Math.log2(averages)
}

/** Longest time of one conversion, shunt or bus: 586 µs a sample, a tenth above the typical 532. */
export function longestAdcMs(averages: number): number {
  return 0.586 * averages
}
