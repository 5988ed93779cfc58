/** Commands of 16 bits (SHT3x-DIS datasheet, section 4). Those with clock stretching are left out: it stops the bus. */
import type { OptionFields, OptionsOf } from '../contract/option-fields.js'

export const COMMAND = {
  fetch: 0xe000,
  /** Ends periodic mode. */
  break: 0x3093,
  softReset: 0x30a2,
  readStatus: 0xf32d,
  clearStatus: 0x3041,
} as const

/** Bit of the status: a reset, also one by a supply that failed, since the status was cleared (table 18). */
export const RESET_DETECTED = 0x0010
/** Soft reset 1.5 ms, break 1 ms (tables 2 and 14). */
export const COMMAND_MS = 2

const RATES = ['0.5', '1', '2', '4', '10'] as const

export function sht3xShape({ oneOf }: OptionFields) {
  return {
    mode: oneOf('single', 'periodic').default('single'),
    repeatability: oneOf('high', 'medium', 'low').default('high'),
    rate_hz: oneOf(...RATES).default('1'),
  }
}

export type Sht3xOptions = OptionsOf<ReturnType<typeof sht3xShape>>

/** Command of one measurement without stretching (table 8) and its longest time (table 4), milliseconds. */
const SINGLE = {
  high: { command: 0x2400, ms: 15.5 },
  medium: { command: 0x240b, ms: 6.5 },
  low: { command: 0x2416, ms: 4.5 },
} as const

/** Table 9. */
const PERIODIC = {
  '0.5': { high: 0x2032, medium: 0x2024, low: 0x202f },
  '1': { high: 0x2130, medium: 0x2126, low: 0x212d },
  '2': { high: 0x2236, medium: 0x2220, low: 0x222b },
  '4': { high: 0x2334, medium: 0x2322, low: 0x2329 },
  '10': { high: 0x2737, medium: 0x2721, low: 0x272a },
} as const

export function singleMeasurement({ repeatability }: Sht3xOptions): { readonly command: number; readonly ms: number } {
  return SINGLE[repeatability]
}

export function periodicCommand({ rateHz, repeatability }: Sht3xOptions): number {
  return PERIODIC[rateHz][repeatability]
}

/** What a command starts, for the virtual chip: one measurement, or one every `everyMs`; `undefined`: neither. */
export function startedBy(command: number): { readonly ms: number; readonly everyMs?: number } | undefined {
  for (const [repeatability, single] of Object.entries(SINGLE)) {
    if (single.command === command) return { ms: single.ms }
    for (const rate of RATES) {
      if (PERIODIC[rate][repeatability as keyof typeof SINGLE] === command) {
        return { ms: single.ms, everyMs: 1000 / Number(rate) }
      }
    }
  }
  return undefined
}
