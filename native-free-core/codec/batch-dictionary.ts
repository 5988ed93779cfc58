import { Packr, Unpackr } from 'msgpackr'
import { TelemetryError } from '../errors/telemetry-error.js'
import type { SeriesDescriptor } from '../model/series.js'
import type { BatchReader } from './batch-reader.js'
import {
  DICTIONARY_FIELDS,
  MAX_BATCH_SAMPLES,
  MAX_CHANNEL_CHARACTERS,
  MAX_DEVICE_CHARACTERS,
  MAX_UNIT_CHARACTERS,
  malformedBatch,
} from './batch-wire.js'

/** Bounds of a decoder's memory of dictionaries: 256 of at most 4 KiB. */
const MAX_CACHED = 256
const MAX_CACHED_BYTES = 4096

const packr = new Packr({ useRecords: false })
const unpackr = new Unpackr({ useRecords: false })

/** A string as msgpack. Half a surrogate pair cannot be written in UTF-8 and becomes U+FFFD. */
export function packName(name: string): Uint8Array {
  return Uint8Array.from(packr.pack(wellFormed(name)))
}

function wellFormed(name: string): string {
  return Buffer.from(name).toString()
}

/**
 * `[device, channel, unit]` as msgpack.
 *
 * @throws TLM_INVARIANT_BROKEN a name is longer than the model allows
 */
export function packEntry({ device, channel, unit }: SeriesDescriptor): Uint8Array {
  if (!areNamesInBounds(device, channel, unit)) {
    throw new TelemetryError(
      'TLM_INVARIANT_BROKEN',
      `Batch: a series has a device of ${device.length}, a channel of ${channel.length} and a unit of ${unit.length} ` +
        `characters, allowed are ${MAX_DEVICE_CHARACTERS}, ${MAX_CHANNEL_CHARACTERS} and ${MAX_UNIT_CHARACTERS}; ` +
        'names must be checked where they come in.',
      { device: device.slice(0, MAX_DEVICE_CHARACTERS), channel: channel.slice(0, MAX_CHANNEL_CHARACTERS) },
    )
  }
  return Uint8Array.from(packr.pack([wellFormed(device), wellFormed(channel), wellFormed(unit)]))
}

function areNamesInBounds(device: string, channel: string, unit: string): boolean {
  return (
    device.length <= MAX_DEVICE_CHARACTERS &&
    channel.length <= MAX_CHANNEL_CHARACTERS &&
    unit.length <= MAX_UNIT_CHARACTERS
  )
}

/** A decoded dictionary. */
export interface Dictionary {
  series: readonly SeriesDescriptor[]
  /** Number of the device by series, in order of first appearance. */
  deviceOf: Uint16Array
  devices: number
}

/**
 * Reads dictionaries and remembers the last ones by their bytes: batches of one source mostly have the same. The
 * `series` array of equal dictionaries is the same object as long as it is remembered.
 */
export class DictionaryReader {
  readonly #cache = new Map<string, Dictionary>()

  /** @throws TLM_BATCH_UNREADABLE not a dictionary, or of more entries than a batch may have samples */
  read(reader: BatchReader): Dictionary {
    const start = reader.at
    const entries = reader.array()
    if (entries < 1 || entries > MAX_BATCH_SAMPLES) {
      throw malformedBatch(`a dictionary of ${entries} entries, 1..${MAX_BATCH_SAMPLES} are allowed`, start)
    }
    for (let entry = 0; entry < entries; entry++) {
      reader.arrayOf(DICTIONARY_FIELDS)
      for (let field = 0; field < DICTIONARY_FIELDS; field++) reader.skipString()
    }
    if (reader.at - start > MAX_CACHED_BYTES) return decode(reader, start)
    const key = reader.bytes.toString('latin1', start, reader.at)
    const known = this.#cache.get(key)
    if (known !== undefined) return known
    const dictionary = decode(reader, start)
    if (this.#cache.size >= MAX_CACHED) this.#cache.clear()
    this.#cache.set(key, dictionary)
    return dictionary
  }
}

/** Decodes the dictionary from `start` to where the reader stands. */
function decode(reader: BatchReader, start: number): Dictionary {
  const end = reader.at
  reader.at = start
  const entries = reader.array()
  for (let entry = 0; entry < entries; entry++) {
    reader.array()
    for (let field = 0; field < DICTIONARY_FIELDS; field++) reader.checkString()
  }
  // A copy: msgpackr does not read strings in shared memory.
  return toDictionary(unpackr.unpack(Uint8Array.from(reader.bytes.subarray(start, end))), start)
}

function toDictionary(entries: [string, string, string][], offset: number): Dictionary {
  const numbers = new Map<string, number>()
  const deviceOf = new Uint16Array(entries.length)
  const series = entries.map(([device, channel, unit], entry) => {
    if (!areNamesInBounds(device, channel, unit)) {
      throw malformedBatch(`a name in dictionary entry ${entry} is too long`, offset)
    }
    const known = numbers.get(device)
    deviceOf[entry] = known ?? numbers.size
    if (known === undefined) numbers.set(device, numbers.size)
    return Object.freeze({ device, channel, unit })
  })
  return { series: Object.freeze(series), deviceOf, devices: numbers.size }
}
