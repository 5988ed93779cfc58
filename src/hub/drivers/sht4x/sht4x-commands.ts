/** Commands of one byte (SHT4x datasheet, section 4.5). */
import type { OptionFields, OptionsOf } from '../contract/option-fields.js'

export const COMMAND = { readSerial: 0x89, softReset: 0x94 } as const
/** Reset and power-up take 1 ms at most (table 5). */
export const RESET_MS = 1

export function sht4xShape({ oneOf }: OptionFields) {
  return { repeatability: oneOf('high', 'medium', 'low').default('high') }
}

export type Sht4xOptions = OptionsOf<ReturnType<typeof sht4xShape>>

/** Command, and longest time of a measurement (table 5), milliseconds. */
export const MEASUREMENT = {
  high: { command: 0xfd, ms: 8.3 },
  medium: { command: 0xf6, ms: 4.5 },
  low: { command: 0xe0, ms: 1.6 },
} as const
