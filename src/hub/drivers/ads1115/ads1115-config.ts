/** The config register (ADS1115 datasheet SBAS444, section "Config Register") and the options that choose it. */
import type { OptionFields, OptionsOf } from '../contract/option-fields.js'

export const REGISTER = { conversion: 0, config: 1, lowThreshold: 2, highThreshold: 3 } as const
export const RESET_CONFIG = 0x8583
/** Written: begin a conversion. Read: none is running. */
export const IDLE = 0x8000
export const SINGLE_SHOT = 0x0100
/** Comparator off; the high queue bits. */
const NO_COMPARATOR = 0x0003

/** In the order of the MUX codes; `0-1` is AIN0 against AIN1, one digit is against ground. */
export const INPUTS = ['0-1', '0-3', '1-3', '2-3', '0', '1', '2', '3'] as const
export type Input = (typeof INPUTS)[number]
/** In the order of the PGA codes, volts to both sides. */
const FULL_SCALES_V = ['6.144', '4.096', '2.048', '1.024', '0.512', '0.256'] as const
/** In the order of the DR codes. */
const RATES = ['8', '16', '32', '64', '128', '250', '475', '860'] as const

export function ads1115Shape({ group, listOf, oneOf }: OptionFields) {
  const channel = group({
    input: oneOf(...INPUTS),
    full_scale_v: oneOf(...FULL_SCALES_V).default('4.096'),
    samples_per_second: oneOf(...RATES).default('128'),
  })
  const single = (input: Input) => ({ input, full_scale_v: '4.096' as const, samples_per_second: '128' as const })
  const isEachOnce = (channels: { input: Input }[]) =>
    new Set(channels.map(({ input }) => input)).size === channels.length
  return {
    channels: listOf(channel, 1, INPUTS.length)
      .refine(isEachOnce, 'expected each input at most once')
      .default([single('0'), single('1'), single('2'), single('3')]),
  }
}

export type Ads1115Options = OptionsOf<ReturnType<typeof ads1115Shape>>
export type Ads1115Channel = Ads1115Options['channels'][number]

/** What starts one conversion of this channel; also what the register reads when it is done. */
export function configOf({ input, fullScaleV, samplesPerSecond }: Ads1115Channel): number {
  const mux = INPUTS.indexOf(input)
  const pga = FULL_SCALES_V.indexOf(fullScaleV)
  const rate = RATES.indexOf(samplesPerSecond)
  return IDLE | (mux << 12) | (pga << 9) | SINGLE_SHOT | (rate << 5) | NO_COMPARATOR
}

/** What a config register asks for, for the virtual chip. */
export function meaningOf(config: number): { input: Input; fullScaleV: number; samplesPerSecond: number } {
  const pga = Math.min((config >> 9) & 7, FULL_SCALES_V.length - 1)
  return {
    input: INPUTS[(config >> 12) & 7],
    fullScaleV: Number(FULL_SCALES_V[pga]),
    samplesPerSecond: Number(RATES[(config >> 5) & 7]),
  }
}

/** The rate is within 10 %, and waking takes 25 µs (section "Electrical Characteristics"). */
export function longestConversionMs({ samplesPerSecond }: Ads1115Channel): number {
  return 1100 / Number(samplesPerSecond) + 0.025
}

/** `voltage_0`, `voltage_0_minus_1`. */
export function nameOf(input: Input): string {
  return `voltage_${input.replace('-', '_minus_')}`
}
