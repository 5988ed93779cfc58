import type { OptionFields, OptionsOf } from '../contract/option-fields.js'

/** In the order of their codes. */
const ACCELERATION_G = ['2', '4', '8', '16'] as const
const ROTATION_DPS = ['250', '500', '1000', '2000'] as const
/** As the register map gives them, rounded. */
const PER_DPS = [131, 65.5, 32.8, 16.4] as const
/** Bandwidth of the acceleration by DLPF_CFG 1..6, Hz (register map, section 4.3). */
const FILTER_HZ = ['184', '94', '44', '21', '10', '5'] as const
/** With a filter on, the chip samples at this rate and divides it. */
const BASE_HZ = 1000
/** Frames of 14 bytes that fit in 1024. */
const MOST_FRAMES = 73

export function mpu6050Shape({ flag, integer, oneOf }: OptionFields) {
  return {
    mode: oneOf('fifo', 'single').default('fifo'),
    rate_hz: integer(4, BASE_HZ).default(500),
    frames_per_read: integer(1, MOST_FRAMES).default(32),
    acceleration_range_g: oneOf(...ACCELERATION_G).default('2'),
    rotation_range_dps: oneOf(...ROTATION_DPS).default('250'),
    filter_hz: oneOf(...FILTER_HZ).default('184'),
    accept_clone: flag().default(false),
  }
}

export type Mpu6050Options = OptionsOf<ReturnType<typeof mpu6050Shape>>

/** The chip divides 1 kHz by whole numbers, so a rate of 300 Hz is one of 333 Hz. Milliseconds. */
export function periodMs({ rateHz }: Mpu6050Options): number {
  return Math.round(BASE_HZ / rateHz)
}

/** The four registers from the divider on. */
export function configBytes(options: Mpu6050Options): number[] {
  const rotation = ROTATION_DPS.indexOf(options.rotationRangeDps)
  const acceleration = ACCELERATION_G.indexOf(options.accelerationRangeG)
  return [periodMs(options) - 1, filterCode(options), rotation << 3, acceleration << 3]
}

export function filterCode({ filterHz }: Mpu6050Options): number {
  return 1 + FILTER_HZ.indexOf(filterHz)
}

/** Steps of a word in one g, and in one degree a second (register map, sections 4.17 and 4.19). */
export function sensitivity(options: Mpu6050Options): { readonly perG: number; readonly perDps: number } {
  const perDps = PER_DPS[ROTATION_DPS.indexOf(options.rotationRangeDps)]
  return { perG: 32_768 / Number(options.accelerationRangeG), perDps }
}

/** Longest time between two readings in which the FIFO loses nothing and is emptied, milliseconds. */
export function longestEveryMs(options: Mpu6050Options): number {
  return options.framesPerRead * periodMs(options)
}
