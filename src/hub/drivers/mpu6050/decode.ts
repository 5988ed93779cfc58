import { QUALITY, type Quality } from '#core/model/quality'
import type { Decoded, DecodedReading, Note } from '../contract/decoded.js'
import type { FaultKind } from '../contract/fault.js'
import type { Channel } from '../contract/manifest.js'
import { deadBus, hexByte, hexWord } from '../registers/dead-bus.js'
import { signedWordAt, wordAt } from '../registers/word-registers.js'
import { HEADER_BYTES, unpackHeader } from './frames.js'
import { type Mpu6050Options, periodMs, sensitivity } from './mpu6050-options.js'
import { CHIPS, type Chip, FRAME_BYTES, STANDARD_GRAVITY } from './mpu6050-registers.js'

const AXES = ['x', 'y', 'z'] as const
const WORDS = FRAME_BYTES / 2
/** Where temperature stands among the words. */
const TEMPERATURE_AT = 3

/** In the order of the words of a frame. */
export function channelsOf(options: Mpu6050Options): readonly Channel[] {
  const { perG, perDps } = sensitivity(options)
  const highest = Number(options.accelerationRangeG) * STANDARD_GRAVITY
  const fastest = radians(Number(options.rotationRangeDps))
  const acceleration = AXES.map(
    (axis): Channel => ({
      name: `acceleration_${axis}`,
      quantity: 'acceleration',
      unit: 'm/s2',
      range: [-highest, highest],
      resolution: STANDARD_GRAVITY / perG,
    }),
  )
  const rotation = AXES.map(
    (axis): Channel => ({
      name: `angular_velocity_${axis}`,
      quantity: 'angular_velocity',
      unit: 'rad/s',
      range: [-fastest, fastest],
      resolution: radians(1) / perDps,
    }),
  )
  const temperature: Channel = {
    name: 'temperature',
    quantity: 'temperature',
    unit: 'Cel',
    range: [-40, 85],
    resolution: 0.0031,
  }
  return [...acceleration, temperature, ...rotation]
}

/** @throws `setup` not the one byte that `initialise` gives, or of a chip that is not known */
export function chipOf(bytes: Uint8Array, fault: (kind: FaultKind, message: string) => Error): Chip {
  const chip = bytes.length === 1 ? CHIPS[bytes[0]] : undefined
  if (chip) return chip
  const found = Array.from(bytes.subarray(0, 4), hexByte).join(' ') || 'nothing'
  throw fault('setup', `The identity that was kept is ${found}, which no known chip has; initialise the chip again.`)
}

/**
 * One reading a frame. The newest sample was taken some time within the period before the count was read, in the mean
 * half a period; each older one a period earlier.
 */
export function decode(raw: Uint8Array, chip: Chip, options: Mpu6050Options, note?: Note): Decoded {
  if (raw.length === 0) return []
  const frames = (raw.length - HEADER_BYTES) / FRAME_BYTES
  if (!Number.isInteger(frames) || frames < 1) {
    return { fault: 'short', message: `${raw.length} bytes are no header and whole frames; read them again.` }
  }
  const dead = deadBus(raw.subarray(HEADER_BYTES))
  if (dead) return { fault: 'io', message: `The chip does not answer, ${dead}; check its wiring and supply.` }
  const { sinceCountUs, leftFrames } = unpackHeader(raw)
  const periodUs = periodMs(options) * 1000
  const newestUs = options.mode === 'fifo' ? sinceCountUs + leftFrames * periodUs + periodUs / 2 : 0
  note?.('frames', frames, `(${raw.length} bytes - ${HEADER_BYTES}) / ${FRAME_BYTES}`)
  note?.('age of the newest, us', newestUs, 'time since the count + frames left * period + period / 2')
  const steps = sensitivity(options)
  return Array.from({ length: frames }, (_, at): DecodedReading => {
    const from = HEADER_BYTES + FRAME_BYTES * at
    if (note && at === frames - 1) tell(raw, from, chip, options, note)
    return readingOf(raw, from, newestUs + (frames - 1 - at) * periodUs, chip, steps)
  })
}

type Steps = ReturnType<typeof sensitivity>

/** One word of a frame in the unit of its channel. */
function inUnit(word: number, at: number, chip: Chip, { perG, perDps }: Steps): number {
  if (at < TEMPERATURE_AT) return (word / perG) * STANDARD_GRAVITY
  if (at > TEMPERATURE_AT) return radians(word / perDps)
  return word / chip.temperature.perCelsius + chip.temperature.offset
}

function readingOf(raw: Uint8Array, from: number, ageUs: number, chip: Chip, steps: Steps): DecodedReading {
  const values: number[] = []
  let quality: Quality[] | undefined
  for (let at = 0; at < WORDS; at++) {
    const word = signedWordAt(raw, from + 2 * at)
    values.push(inUnit(word, at, chip, steps))
    if (at !== TEMPERATURE_AT && (word === 0x7fff || word === -0x8000)) {
      quality ??= new Array<Quality>(WORDS).fill(QUALITY.good)
      quality[at] = QUALITY.range
    }
  }
  return quality ? { ageUs, values, quality } : { ageUs, values }
}

function tell(raw: Uint8Array, from: number, chip: Chip, options: Mpu6050Options, note: Note): void {
  const steps = sensitivity(options)
  const { perG, perDps } = steps
  const { perCelsius, offset } = chip.temperature
  for (const [at, { name }] of channelsOf(options).entries()) {
    const rotation = `raw / ${perDps} * pi / 180`
    const formula = at < TEMPERATURE_AT ? `raw / ${perG} * ${STANDARD_GRAVITY}` : rotation
    const word = signedWordAt(raw, from + 2 * at)
    note(`word of ${name}`, hexWord(wordAt(raw, from + 2 * at)), `raw ${word}`)
    note(
      name,
      inUnit(word, at, chip, steps),
      at === TEMPERATURE_AT ? `raw / ${perCelsius} + ${offset} (${chip.name})` : formula,
    )
  }
}

function radians(degrees: number): number {
  return (degrees * Math.PI) / 180
}
