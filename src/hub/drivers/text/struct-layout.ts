import { TelemetryError } from '#core/errors/telemetry-error'

type Read = (view: DataView, at: number, isLittle: boolean) => number

const TYPES: Readonly<Record<string, { bytes: number; read?: Read }>> = {
  x: { bytes: 1 },
  b: { bytes: 1, read: (view, at) => view.getInt8(at) },
  B: { bytes: 1, read: (view, at) => view.getUint8(at) },
  '?': { bytes: 1, read: (view, at) => (view.getUint8(at) === 0 ? 0 : 1) },
  h: { bytes: 2, read: (view, at, isLittle) => view.getInt16(at, isLittle) },
  H: { bytes: 2, read: (view, at, isLittle) => view.getUint16(at, isLittle) },
  i: { bytes: 4, read: (view, at, isLittle) => view.getInt32(at, isLittle) },
  I: { bytes: 4, read: (view, at, isLittle) => view.getUint32(at, isLittle) },
  l: { bytes: 4, read: (view, at, isLittle) => view.getInt32(at, isLittle) },
  L: { bytes: 4, read: (view, at, isLittle) => view.getUint32(at, isLittle) },
  q: { bytes: 8, read: (view, at, isLittle) => Number(view.getBigInt64(at, isLittle)) },
  Q: { bytes: 8, read: (view, at, isLittle) => Number(view.getBigUint64(at, isLittle)) },
  f: { bytes: 4, read: (view, at, isLittle) => view.getFloat32(at, isLittle) },
  d: { bytes: 8, read: (view, at, isLittle) => view.getFloat64(at, isLittle) },
}
const MAX_BYTES = 1024

/**
 * The layout of binary data, written as Python's `struct` module does: `<hHf` is little-endian, a signed and an unsigned
 * 16-bit number and a 32-bit float, without gaps; `>` is big-endian, `x` a byte to skip, `3h` three of them.
 */
export class StructLayout {
  readonly bytes: number
  /** How many values it has. */
  readonly count: number
  readonly #isLittle: boolean
  readonly #reads: readonly { readonly at: number; readonly read: Read }[]

  /** @throws TLM_OPTIONS_INVALID */
  constructor(layout: string) {
    const match = /^([<>!])((?:\d{0,4}[xbB?hHiIlLqQfd])+)$/.exec(layout.replaceAll(' ', ''))
    if (match === null) {
      const text = `layout "${layout}" must be < or > and then types of x b B ? h H i I l L q Q f d, such as <hHf.`
      throw new TelemetryError('TLM_OPTIONS_INVALID', text)
    }
    this.#isLittle = match[1] === '<'
    const reads: { at: number; read: Read }[] = []
    let at = 0
    for (const [, repeat, letter] of match[2].matchAll(/(\d*)(\D)/g)) {
      const { bytes, read } = TYPES[letter]
      for (let left = repeat === '' ? 1 : Number(repeat); left > 0 && at <= MAX_BYTES; left--) {
        if (read !== undefined) reads.push({ at, read })
        at += bytes
      }
    }
    if (at > MAX_BYTES || reads.length === 0) {
      const text = `layout "${layout}" must have at least one value and at most ${MAX_BYTES} bytes.`
      throw new TelemetryError('TLM_OPTIONS_INVALID', text)
    }
    this.#reads = reads
    this.bytes = at
    this.count = reads.length
  }

  /** @param bytes at least {@link bytes} of them. @returns whole numbers over 2^53 rounded */
  read(bytes: Uint8Array): number[] {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    return this.#reads.map(({ at, read }) => read(view, at, this.#isLittle))
  }
}
