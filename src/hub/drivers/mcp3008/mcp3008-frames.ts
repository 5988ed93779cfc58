/** Frames of three bytes (MCP3004/3008 datasheet DS21295, section 6.1; MCP3204/3208 DS21298, section 6.1). */
import type { OptionFields, OptionsOf } from '../contract/option-fields.js'

/** One digit: against ground. `0-1`: the input pair, the first positive. */
const INPUTS = [
  ...['0', '1', '2', '3', '4', '5', '6', '7'],
  ...['0-1', '1-0', '2-3', '3-2', '4-5', '5-4', '6-7', '7-6'],
] as const
export const FRAME_BYTES = 3
const SINGLE_ENDED = 8

export function mcp3008Shape({ flag, list, number, oneOf }: OptionFields) {
  const isEachOnce = (inputs: readonly string[]) => inputs.length > 0 && new Set(inputs).size === inputs.length
  return {
    chip: oneOf('mcp3008', 'mcp3208').default('mcp3008'),
    reference_v: number(0.25, 5.5).default(3.3),
    inputs: list(oneOf(...INPUTS))
      .refine(isEachOnce, 'expected at least one input, each at most once')
      .default(INPUTS.slice(0, SINGLE_ENDED)),
    accept_zero: flag().default(false),
  }
}

export type Mcp3008Options = OptionsOf<ReturnType<typeof mcp3008Shape>>

/** What differs between the chips: where start bit and answer stand in the frame. */
interface FrameLayout {
  readonly codes: number
  /** How far the five bits start, SGL/DIFF, D2, D1, D0 stand from the right of the first two bytes. */
  readonly commandShift: number
}

const LAYOUTS: Readonly<Record<Mcp3008Options['chip'], FrameLayout>> = {
  mcp3008: { codes: 1024, commandShift: 4 },
  mcp3208: { codes: 4096, commandShift: 6 },
}

export function codesOf({ chip }: Mcp3008Options): number {
  return LAYOUTS[chip].codes
}

/** Asks for one conversion. Input 0 of an MCP3008 against ground: 01 80 00. */
export function frameOf(input: string, { chip }: Mcp3008Options): Uint8Array {
  const at = (INPUTS as readonly string[]).indexOf(input)
  const select = at < SINGLE_ENDED ? SINGLE_ENDED | at : at - SINGLE_ENDED
  const command = (0x10 | select) << LAYOUTS[chip].commandShift
  return Uint8Array.of(command >> 8, command & 0xff, 0)
}

/** The input that a frame asks for; `undefined` without a start bit. For the virtual chip. */
export function inputOf(frame: Uint8Array, chip: Mcp3008Options['chip']): string | undefined {
  const command = ((frame[0] << 8) | frame[1]) >> LAYOUTS[chip].commandShift
  if (frame.length !== FRAME_BYTES || command >> 4 !== 1) return undefined
  const select = command & 0x0f
  return INPUTS[select & SINGLE_ENDED ? select & 7 : SINGLE_ENDED + select]
}

/**
 * The code of the answer that begins at `from`; `undefined`: the null bit before it is not 0, so no chip drives the line.
 */
export function codeOf(raw: Uint8Array, from: number, chip: Mcp3008Options['chip']): number | undefined {
  const { codes } = LAYOUTS[chip]
  const word = (raw[from + 1] << 8) | raw[from + 2]
  return word & codes ? undefined : word & (codes - 1)
}

/** `voltage_0`, `voltage_0_minus_1`. */
export function nameOf(input: string): string {
  return `voltage_${input.replace('-', '_minus_')}`
}
