import { QUALITY, type Quality } from '#core/model/quality'
import type { Decoded, Note } from '../contract/decoded.js'
import type { Fault } from '../contract/fault.js'
import type { Channel } from '../contract/manifest.js'
import { deadBus, hexWord } from '../registers/dead-bus.js'
import { signedWordAt, wordAt } from '../registers/word-registers.js'
import { type Ads1115Channel, type Ads1115Options, configOf, nameOf } from './ads1115-config.js'

const CODES = 32_768
const HIGHEST = 0x7fff
const LOWEST = -0x8000
/** Config register and conversion. */
const CHANNEL_BYTES = 4

export function channelsOf({ channels }: Ads1115Options): readonly Channel[] {
  return channels.map(({ input, fullScaleV }) => ({
    name: nameOf(input),
    quantity: 'voltage',
    unit: 'V',
    range: [-Number(fullScaleV), Number(fullScaleV)],
    resolution: Number(fullScaleV) / CODES,
  }))
}

/** One reading of all channels; the first was converted as long before the last as the conversions take. */
export function decode(raw: Uint8Array, { channels }: Ads1115Options, note?: Note): Decoded {
  if (raw.length !== CHANNEL_BYTES * channels.length) {
    const wanted = CHANNEL_BYTES * channels.length
    return { fault: 'short', message: `An acquisition has ${raw.length} bytes instead of ${wanted}; read it again.` }
  }
  const values: number[] = []
  const quality: Quality[] = []
  for (const [at, channel] of channels.entries()) {
    const from = CHANNEL_BYTES * at
    const found = conversionFault(raw, from, channel)
    if (found) return found
    const code = signedWordAt(raw, from + 2)
    const volts = (code * Number(channel.fullScaleV)) / CODES
    note?.(`config ${nameOf(channel.input)}`, hexWord(wordAt(raw, from)), 'mux, gain and rate, as read back')
    note?.('code', code, `${hexWord(wordAt(raw, from + 2))} as a signed number`)
    note?.(nameOf(channel.input), volts, `code * ${channel.fullScaleV} / 32768`)
    values.push(volts)
    quality.push(code === HIGHEST || code === LOWEST ? QUALITY.range : QUALITY.good)
  }
  return [{ ageUs: 0, values, quality }]
}

/** Why the four bytes at `from` are no conversion of this channel; `undefined` when they are. */
export function conversionFault(raw: Uint8Array, from: number, channel: Ads1115Channel): Fault | undefined {
  const found = wordAt(raw, from)
  const wanted = configOf(channel)
  if (found === wanted) return undefined
  const dead = deadBus(raw.subarray(from, from + CHANNEL_BYTES))
  if (dead) return { fault: 'io', message: `The chip does not answer, ${dead}; check its wiring and supply.` }
  const what = `The config register reads ${hexWord(found)} instead of ${hexWord(wanted)}, so the chip was reset`
  return { fault: 'setup', message: `${what} or another program uses it; it must be set up again.` }
}
