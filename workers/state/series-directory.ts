import { type SeriesDescriptor, seriesKey } from '#core/model/series'
import type { ShardMemory } from './shard-memory.js'

/** A series of a shard. */
export interface SeriesEntry extends SeriesDescriptor {
  /** `device/channel` with `%` and `/` inside either escaped: unique, also for names with slashes. */
  name: string
}

/** A batch's dictionary against a shard's state. */
export interface ResolvedDictionary {
  /** Slot by place; -1 where it was not looked up yet, or the shard is full. Whoever looks up fills it in. */
  readonly slots: Int32Array
  /** By place, the first place of the same series: units differ, the order of samples must not. Absent: all differ. */
  readonly firstPlaces: Int32Array | undefined
}

/**
 * Which slot of a shard's state belongs to which series: a thread's own copy of the names in shared memory, read on as
 * other threads add series.
 *
 * Thread: its own. Cost: two map look-ups per series of a new dictionary.
 */
export class SeriesDirectory {
  readonly #slots = new Map<string, Map<string, number>>()
  readonly #entries: SeriesEntry[] = []
  readonly #resolved = new WeakMap<readonly SeriesDescriptor[], ResolvedDictionary>()

  /** Reads the names of series that were added since the last call. */
  refresh(memory: ShardMemory): void {
    for (let slot = this.#entries.length; slot < memory.seriesCount; slot++) {
      this.#remember(slot, readName(memory.names, memory.nameAt(slot)))
    }
  }

  /** What is known of a batch's dictionary; remembered when it cannot change, as decoders give equal ones as one object. */
  resolve(dictionary: readonly SeriesDescriptor[]): ResolvedDictionary {
    const known = this.#resolved.get(dictionary)
    if (known !== undefined) return known
    const slots = new Int32Array(dictionary.length).fill(-1)
    const resolved = { slots, firstPlaces: firstPlacesOf(dictionary) }
    if (Object.isFrozen(dictionary)) this.#resolved.set(dictionary, resolved)
    return resolved
  }

  find(device: string, channel: string): number | undefined {
    return this.#slots.get(device)?.get(channel)
  }

  /** Adds a series that {@link find} does not know; -1 when the shard is full. Its unit stays that of the first sample. */
  add(memory: ShardMemory, series: SeriesDescriptor): number {
    const slot = memory.addSeries(writeName(series))
    if (slot >= 0) this.#remember(slot, series)
    return slot
  }

  /** @param slot one that the state knows */
  entry(slot: number): SeriesEntry {
    return this.#entries[slot]
  }

  #remember(slot: number, { device, channel, unit }: SeriesDescriptor): void {
    this.#entries[slot] = { device, channel, unit, name: seriesName(device, channel) }
    const channels = this.#slots.get(device)
    if (channels === undefined) this.#slots.set(device, new Map([[channel, slot]]))
    else channels.set(channel, slot)
  }
}

/** `seriesKey` of the escaped parts, so that no two series share a name. */
export function seriesName(device: string, channel: string): string {
  return seriesKey({ device: escapeNamePart(device), channel: escapeNamePart(channel), unit: '' })
}

/** Escapes `%` and `/`, and halves of surrogate pairs, which no store would give back as they were. */
export function escapeNamePart(part: string): string {
  return part.replace(/[%/\ud800-\udfff]/gu, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
}

function firstPlacesOf(dictionary: readonly SeriesDescriptor[]): Int32Array | undefined {
  const first = new Map<string, number>()
  const places = Int32Array.from(dictionary, ({ device, channel }, place) => {
    const key = `${device.length}/${device}${channel}`
    const known = first.get(key)
    if (known === undefined) first.set(key, place)
    return known ?? place
  })
  return first.size < dictionary.length ? places : undefined
}

/** Lengths of device, channel and unit, then their code units. */
function writeName({ device, channel, unit }: SeriesDescriptor): Uint16Array {
  const text = device + channel + unit
  const units = new Uint16Array(3 + text.length)
  units[0] = device.length
  units[1] = channel.length
  units[2] = unit.length
  for (let at = 0; at < text.length; at++) units[3 + at] = text.charCodeAt(at)
  return units
}

function readName(names: Uint16Array, at: number): SeriesDescriptor {
  const [deviceUnits, channelUnits, unitUnits] = names.subarray(at, at + 3)
  const text = String.fromCharCode(...names.subarray(at + 3, at + 3 + deviceUnits + channelUnits + unitUnits))
  return {
    device: text.slice(0, deviceUnits),
    channel: text.slice(deviceUnits, deviceUnits + channelUnits),
    unit: text.slice(deviceUnits + channelUnits),
  }
}
