import { QUALITY, type Quality } from '#core/model/quality'
import type { Decoded, Note } from '../contract/decoded.js'
import type { Fault } from '../contract/fault.js'
import type { Channel } from '../contract/manifest.js'
import { hexByte } from '../registers/dead-bus.js'
import { codeOf, codesOf, FRAME_BYTES, type Mcp3008Options, nameOf } from './mcp3008-frames.js'

export function channelsOf(options: Mcp3008Options): readonly Channel[] {
  const resolution = options.referenceV / codesOf(options)
  return options.inputs.map((input) => ({
    name: nameOf(input),
    quantity: 'voltage',
    unit: 'V',
    range: [0, options.referenceV],
    resolution,
  }))
}

/** One reading of all inputs, V = code * Vref / 1024 (4096): the highest code is one step below the reference. */
export function decode(raw: Uint8Array, options: Mcp3008Options, note?: Note): Decoded {
  const found = answerFault(raw, options)
  if (found) return found
  const codes = codesOf(options)
  const values: number[] = []
  const quality: Quality[] = []
  for (const [at, input] of options.inputs.entries()) {
    const from = FRAME_BYTES * at
    const code = codeOf(raw, from, options.chip)
    if (code === undefined) return nobodyDrives()
    const volts = (code * options.referenceV) / codes
    note?.(`answer ${nameOf(input)}`, Array.from(raw.subarray(from, from + FRAME_BYTES), hexByte).join(' '))
    note?.('code', code, `the last ${Math.log2(codes)} bits`)
    note?.(nameOf(input), volts, `code * ${options.referenceV} / ${codes}`)
    values.push(volts)
    quality.push(code === codes - 1 ? QUALITY.range : QUALITY.good)
  }
  return [{ ageUs: 0, values, quality }]
}

/** Why these answers mean nothing; `undefined` when they do. The chip has no identity and no checksum. */
export function answerFault(raw: Uint8Array, options: Mcp3008Options): Fault | undefined {
  const wanted = FRAME_BYTES * options.inputs.length
  if (raw.length !== wanted) {
    return { fault: 'short', message: `An acquisition has ${raw.length} bytes instead of ${wanted}; read it again.` }
  }
  for (let at = 0; at < wanted; at += FRAME_BYTES) {
    if (codeOf(raw, at, options.chip) === undefined) return nobodyDrives()
  }
  if (!options.acceptZero && raw.every((byte) => byte === 0)) {
    const what = 'Only 0x00 came, so nobody may drive the data line; check wiring and chip select'
    return { fault: 'io', message: `${what}, or set accept_zero: true if all inputs may be at 0 V.` }
  }
  return undefined
}

function nobodyDrives(): Fault {
  const message = 'The bit before the code is not 0, so nobody drives the data line; check wiring and chip select.'
  return { fault: 'io', message }
}
