/** Opcodes of the BH1750 (ROHM BH1750FVI, instruction set architecture): each is a write with a stop of its own. */
export const POWER_DOWN = 0x00
export const POWER_ON = 0x01
/** Clears the result; refused while powered down. */
export const RESET = 0x07
/** One measurement, then power down. */
export const ONE_TIME = { high: 0x20, high2: 0x21, low: 0x23 } as const
export type Resolution = keyof typeof ONE_TIME

export const MEASUREMENT_TIME_DEFAULT = 69
export const MEASUREMENT_TIME_MIN = 31
export const MEASUREMENT_TIME_MAX = 254

/** The two opcodes that set the measurement time: its upper three bits, its lower five. */
export function measurementTimeOpcodes(measurementTime: number): readonly [upper: number, lower: number] {
  return [0x40 | (measurementTime >> 5), 0x60 | (measurementTime & 0x1f)]
}

/** How long a measurement takes. Milliseconds, at {@link MEASUREMENT_TIME_DEFAULT}. */
export const TYPICAL_MS = { high: 120, high2: 120, low: 16 } as const
export const LONGEST_MS = { high: 180, high2: 180, low: 24 } as const

/** A duration of {@link TYPICAL_MS} or {@link LONGEST_MS} with another measurement time. */
export function scaledMs(ms: number, measurementTime: number): number {
  return (ms * measurementTime) / MEASUREMENT_TIME_DEFAULT
}
