/** Register map of BME280 (datasheet BST-BME280-DS002, section 5) and BMP280 (BST-BMP280-DS001, section 4). */
export const REGISTER = {
  /** T1..P9 little-endian, then on the BME280 a reserved byte and H1. */
  calibration: 0x88,
  id: 0xd0,
  reset: 0xe0,
  /** H2..H6, BME280 only. */
  humidityCalibration: 0xe1,
  /** BME280 only; takes effect with the next write to `ctrlMeas`. */
  ctrlHum: 0xf2,
  /** Bit 3: measuring; bit 0: copying calibration from its memory. */
  status: 0xf3,
  /** osrs_t in bits 7..5, osrs_p in 4..2, mode in 1..0. */
  ctrlMeas: 0xf4,
  /** Standby in bits 7..5, filter in 4..2, three-wire SPI in 0. */
  config: 0xf5,
  /** Pressure (20 bits), temperature (20) and on the BME280 humidity (16), high byte first. */
  data: 0xf7,
} as const

export const RESET_WORD = 0xb6
export const MEASURING = 0x08
export const COPYING = 0x01

export const CHIP_ID = { bme280: 0x60, bmp280: 0x58 } as const
/** Bytes at `calibration` that belong to temperature and pressure. */
export const CALIBRATION_BYTES = 24
/** On the BME280: those, the reserved byte and H1. */
export const CALIBRATION_BYTES_WITH_H1 = 26
export const HUMIDITY_CALIBRATION_BYTES = 7

export const MODE = { sleep: 0, forced: 1, normal: 3 } as const
/** Codes of osrs_t, osrs_p and osrs_h (tables 20, 22 and 24). */
export const OVERSAMPLING = ['skip', '1', '2', '4', '8', '16'] as const
export type Oversampling = (typeof OVERSAMPLING)[number]
/** Codes of the IIR filter (table 28). */
export const FILTER = ['off', '2', '4', '8', '16'] as const
/** Codes of t_sb that both chips share, milliseconds (table 27). */
export const STANDBY_MS = ['0.5', '62.5', '125', '250', '500', '1000'] as const

/** What the data registers hold where nothing was measured: after a reset, or skipped. */
export const SKIPPED_20 = 0x80000
export const SKIPPED_16 = 0x8000
