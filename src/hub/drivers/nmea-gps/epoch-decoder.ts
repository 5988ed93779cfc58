import { QUALITY, type Quality } from '#core/model/quality'
import type { Decoded, DecodedReading, Note } from '../contract/decoded.js'
import type { FrameDecoder } from '../contract/stream-driver.js'
import { angleOf, midnightMs, numberOf, timeOfDayMs } from './field-values.js'
import { GPS_CHANNELS, type GpsChannel, MPS_PER_KNOT } from './gps-channels.js'
import { readSentence, type Sentence } from './sentence.js'

const DAY_MS = 86_400_000
/** These mean nothing while there is no fix: receivers repeat the last ones, or send zeros. */
const GATED: ReadonlySet<string> = new Set<GpsChannel>([
  'latitude',
  'longitude',
  'altitude',
  'speed',
  'course',
  'utc_time',
])
/** GGA's quality of a fix that was reckoned on from an earlier one, typed in, or played by a simulator. */
const ESTIMATED = 6
const MANUAL = 7
const SIMULATED = 8

type Values = Partial<Record<GpsChannel, number>>

/** What the sentences of one instant say together. */
interface Epoch {
  /** `undefined`: the receiver does not know the time yet. */
  readonly timeMs: number | undefined
  readonly values: Values
  isInvalid: boolean
  midnightMs?: number
  /** Sentences of each kind so far. */
  readonly counts: Map<string, number>
  /** Kind and number of the newest sentence. */
  newest: string
  isTold: boolean
}

/**
 * Makes one reading of all sentences with the same time. Which sentence is the last of an instant no receiver says: the
 * first time it is told by the first one of the next instant (and the reading is that much older), from then on the
 * reading is complete as soon as the sentence comes that was last before.
 */
export class EpochDecoder implements FrameDecoder {
  readonly #channelCount: number
  #epoch: Epoch | undefined
  #lastSentence: string | undefined

  /** @param channelCount so many first ones of `GPS_CHANNELS` are told */
  constructor(channelCount: number) {
    this.#channelCount = channelCount
  }

  decode(frame: Uint8Array, note?: Note): Decoded {
    const sentence = readSentence(frame)
    if (sentence === undefined) return []
    if ('fault' in sentence) return sentence
    const read = readFields(sentence)
    const wrong = Object.entries(read.values).find(([, value]) => Number.isNaN(value))
    if (wrong !== undefined || Number.isNaN(read.timeMs) || Number.isNaN(read.midnightMs)) {
      const what = wrong?.[0].replace('_', ' ') ?? (Number.isNaN(read.timeMs) ? 'time' : 'date')
      return { fault: 'decode', message: `${sentence.kind} has a ${what} that cannot be: look at the receiver.` }
    }
    const readings = this.#follow(sentence, read.timeMs, note)
    const epoch = this.#epoch
    if (epoch === undefined) return readings
    this.#take(epoch, sentence, read)
    if (!epoch.isTold && epoch.newest === this.#lastSentence) readings.push(this.#tell(epoch, 0, note))
    return readings
  }

  /** Ends an epoch when a sentence of another comes. @returns its reading, when it was not told before */
  #follow({ kind, fields }: Sentence, timeMs: number | undefined, note?: Note): DecodedReading[] {
    const hasTime = kind === 'RMC' || kind === 'GGA' || kind === 'ZDA'
    const old = this.#epoch
    if (!hasTime) return []
    // Without a time only the same sentence again shows that another instant began.
    const isSame = timeMs === undefined ? !old?.counts.has(fields[0]) : old?.timeMs === timeMs
    if (old !== undefined && isSame && (timeMs !== undefined || old.timeMs === undefined)) return []
    this.#epoch = { timeMs, values: {}, isInvalid: false, counts: new Map(), newest: '', isTold: false }
    if (old === undefined) return []
    this.#lastSentence = old.newest
    if (old.isTold) return []
    const ageMs = timeMs === undefined || old.timeMs === undefined ? 0 : (timeMs - old.timeMs + DAY_MS) % DAY_MS
    return [this.#tell(old, ageMs * 1000, note)]
  }

  #take(epoch: Epoch, { fields }: Sentence, read: ReadFields): void {
    const count = (epoch.counts.get(fields[0]) ?? 0) + 1
    epoch.counts.set(fields[0], count)
    epoch.newest = `${fields[0]} ${count}`
    epoch.isInvalid ||= read.isInvalid
    epoch.midnightMs ??= read.midnightMs
    for (const [channel, value] of Object.entries(read.values)) {
      if (value !== undefined) epoch.values[channel as GpsChannel] = value
    }
  }

  #tell(epoch: Epoch, ageUs: number, note?: Note): DecodedReading {
    epoch.isTold = true
    const { values, timeMs, midnightMs } = epoch
    const channels = GPS_CHANNELS.slice(0, this.#channelCount)
    const hasFix = !epoch.isInvalid && values.fix_quality !== 0 && values.fix_dimension !== 1
    if (timeMs !== undefined && midnightMs !== undefined) values.utc_time = (midnightMs + timeMs) / 1000
    const of = (channel: GpsChannel) => (hasFix || !GATED.has(channel) ? values[channel] : undefined) ?? Number.NaN
    note?.('fix', hasFix ? 'yes' : 'no', 'RMC does not say V, nor GGA quality 0, nor GSA no fix')
    for (const { name } of channels) note?.(name, of(name))
    const reading = { ageUs, values: channels.map(({ name }) => of(name)) }
    const trust = trustIn(values.fix_quality)
    if (trust === QUALITY.good) return reading
    return { ...reading, quality: channels.map(({ name }) => (GATED.has(name) ? trust : QUALITY.good)) }
  }
}

function trustIn(fixQuality: number | undefined): Quality {
  if (fixQuality === ESTIMATED) return QUALITY.stale
  return fixQuality === MANUAL || fixQuality === SIMULATED ? QUALITY.sentinel : QUALITY.good
}

interface ReadFields {
  readonly values: Values
  readonly timeMs?: number
  readonly midnightMs?: number
  readonly isInvalid: boolean
}

function readFields({ kind, fields }: Sentence): ReadFields {
  const speed = (knots: string) => {
    const value = numberOf(knots)
    return value === undefined ? undefined : value * MPS_PER_KNOT
  }
  switch (kind) {
    case 'RMC': {
      const [, time, status, latitude, northSouth, longitude, eastWest, knots, course, date] = fields
      return {
        values: {
          latitude: angleOf(latitude, northSouth),
          longitude: angleOf(longitude, eastWest),
          speed: speed(knots),
          course: numberOf(course),
        },
        timeMs: timeOfDayMs(time),
        midnightMs: date === '' ? undefined : midnightMs(date.slice(0, 2), date.slice(2, 4), date.slice(4) || 'x'),
        isInvalid: status !== 'A',
      }
    }
    case 'GGA': {
      const [, time, latitude, northSouth, longitude, eastWest, quality, satellites, hdop, altitude] = fields
      return {
        values: {
          latitude: angleOf(latitude, northSouth),
          longitude: angleOf(longitude, eastWest),
          altitude: numberOf(altitude),
          fix_quality: numberOf(quality),
          satellites: numberOf(satellites),
          hdop: numberOf(hdop),
        },
        timeMs: timeOfDayMs(time),
        isInvalid: false,
      }
    }
    case 'GSA':
      return {
        values: {
          fix_dimension: numberOf(fields[2]),
          pdop: numberOf(fields[15]),
          hdop: numberOf(fields[16]),
          vdop: numberOf(fields[17]),
        },
        isInvalid: false,
      }
    case 'VTG':
      return { values: { course: numberOf(fields[1]), speed: speed(fields[5]) }, isInvalid: false }
    case 'ZDA': {
      const [, time, day, month, year] = fields
      return { values: {}, timeMs: timeOfDayMs(time), midnightMs: midnightMs(day, month, year), isInvalid: false }
    }
  }
}
