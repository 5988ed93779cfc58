/** Register map (InvenSense RM-MPU-6000A, revision 4.2). */
export const REGISTER = {
  /** Sample rate = 1 kHz / (1 + this), with a filter on. */
  divider: 0x19,
  /** Filter in bits 2..0. */
  config: 0x1a,
  gyroConfig: 0x1b,
  accelConfig: 0x1c,
  /** Filter of the accelerometer; on the successors only. */
  accelConfig2: 0x1d,
  fifoEnable: 0x23,
  interruptEnable: 0x38,
  /** Cleared by reading. */
  interruptStatus: 0x3a,
  /** Acceleration, temperature, angular velocity: seven words, high byte first. */
  data: 0x3b,
  userControl: 0x6a,
  power: 0x6b,
  /** High byte first; reading it latches both. */
  fifoCount: 0x72,
  /** A burst stays at this register. */
  fifoData: 0x74,
  whoAmI: 0x75,
} as const

/** Bits of `power`. */
export const DEVICE_RESET = 0x80
export const SLEEP = 0x40
/** Clock from the gyroscope, awake (section 4.28 recommends it). */
export const AWAKE = 0x01
/** Bits of `userControl`. */
export const FIFO_ON = 0x40
export const FIFO_RESET = 0x04
/** Temperature, three axes of angular velocity, acceleration into the FIFO: frames as the data registers are. */
export const FIFO_ALL = 0xf8
/** Bit of the interrupt registers. */
export const FIFO_OVERFLOW = 0x10

/** One sample: seven words. */
export const FRAME_BYTES = 14
export const MPU6050_ID = 0x68
export const STANDARD_GRAVITY = 9.80665

/** Chips that answer the same registers under another identity. */
export interface Chip {
  readonly name: string
  readonly fifoBytes: number
  /** Degrees Celsius = raw / `perCelsius` + `offset`. */
  readonly temperature: { readonly perCelsius: number; readonly offset: number }
}

const LIKE_6500 = { perCelsius: 333.87, offset: 21 }
const LIKE_20608 = { perCelsius: 326.8, offset: 25 }

/**
 * By what 0x75 reads. The MPU-6050 of its register map; the others as the Linux driver has them
 * (drivers/iio/imu/inv_mpu6050/inv_mpu_core.c), which also are what chips sold as MPU-6050 answer.
 */
export const CHIPS: Readonly<Record<number, Chip>> = {
  104: { name: 'MPU-6050', fifoBytes: 1024, temperature: { perCelsius: 340, offset: 36.53 } },
  112: { name: 'MPU-6500', fifoBytes: 512, temperature: LIKE_6500 },
  113: { name: 'MPU-9250', fifoBytes: 512, temperature: LIKE_6500 },
  115: { name: 'MPU-9255', fifoBytes: 512, temperature: LIKE_6500 },
  116: { name: 'MPU-6515', fifoBytes: 512, temperature: LIKE_6500 },
  152: { name: 'ICM-20689', fifoBytes: 4096, temperature: LIKE_20608 },
}

/** Counts of a FIFO that is full. None is a multiple of {@link FRAME_BYTES}, so a healthy one never stays at them. */
export const FULL_COUNTS: readonly number[] = [...new Set(Object.values(CHIPS).map(({ fifoBytes }) => fifoBytes))]
