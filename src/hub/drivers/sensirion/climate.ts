import { QUALITY, type Quality } from '#core/model/quality'
import type { Decoded, Note } from '../contract/decoded.js'
import type { Channel } from '../contract/manifest.js'
import { hexWord } from '../registers/dead-bus.js'
import { wordsOf } from './checked-words.js'

/** How a chip maps the full scale of its words to percent: `offset + span * word / 65535`. */
export interface HumidityScale {
  readonly offset: number
  readonly span: number
}

export const CLIMATE_BYTES = 6
const FULL_SCALE = 65_535
const TEMPERATURE_OFFSET = -45
const TEMPERATURE_SPAN = 175

/** Limits of operation and the steps of the words. */
export function climateChannels({ span }: HumidityScale): readonly Channel[] {
  return [
    {
      name: 'temperature',
      quantity: 'temperature',
      unit: 'Cel',
      range: [-40, 125],
      resolution: TEMPERATURE_SPAN / FULL_SCALE,
    },
    {
      name: 'relative_humidity',
      quantity: 'relative_humidity',
      unit: '%',
      range: [0, 100],
      resolution: span / FULL_SCALE,
    },
  ]
}

/** Temperature and humidity of six bytes; humidity is held to 0..100 %, as the datasheets ask for. */
export function decodeClimate(raw: Uint8Array, scale: HumidityScale, note?: Note): Decoded {
  if (raw.length === 0) return []
  const words = wordsOf(raw, 2)
  if ('fault' in words) return words
  const [s_t, s_rh] = words
  const celsius = TEMPERATURE_OFFSET + (TEMPERATURE_SPAN * s_t) / FULL_SCALE
  const percent = scale.offset + (scale.span * s_rh) / FULL_SCALE
  const held = Math.min(Math.max(percent, 0), 100)
  note?.('S_T', hexWord(s_t), 'bytes 0 and 1, checksum in 2')
  note?.('S_RH', hexWord(s_rh), 'bytes 3 and 4, checksum in 5')
  note?.('temperature', celsius, `${TEMPERATURE_OFFSET} + ${TEMPERATURE_SPAN} * S_T / 65535`)
  note?.('relative_humidity', held, `${scale.offset} + ${scale.span} * S_RH / 65535, held to 0..100`)
  const quality: Quality[] = [celsius < -40 || celsius > 125 ? QUALITY.range : QUALITY.good, QUALITY.good]
  return [{ ageUs: 0, values: [celsius, held], quality }]
}

/** The words that a chip measures at these values; the inverse of {@link decodeClimate}, for virtual chips. */
export function climateWords(celsius: number, percent: number, scale: HumidityScale): [s_t: number, s_rh: number] {
  const word = (share: number) => Math.min(Math.max(Math.round(share * FULL_SCALE), 0), FULL_SCALE)
  return [word((celsius - TEMPERATURE_OFFSET) / TEMPERATURE_SPAN), word((percent - scale.offset) / scale.span)]
}
