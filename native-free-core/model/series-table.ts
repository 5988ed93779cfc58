import type { SeriesDescriptor } from './series.js'

/** Interns (device, channel) to a dense 32-bit id that crosses the ring. Ids are never reused. Thread: its owner's. */
export class SeriesTable {
  readonly #ids = new Map<string, number>()
  readonly #descriptors: SeriesDescriptor[] = []

  get size(): number {
    return this.#descriptors.length
  }

  /** Every descriptor, indexed by id; grows, never shrinks. */
  get descriptors(): readonly SeriesDescriptor[] {
    return this.#descriptors
  }

  /** The id of the series: an existing one when device and channel are known (the first unit stays), else the next. */
  intern(series: SeriesDescriptor): number {
    const key = internKey(series.device, series.channel)
    const known = this.#ids.get(key)
    if (known !== undefined) return known
    const id = this.#descriptors.length
    this.#ids.set(key, id)
    this.#descriptors.push({ ...series })
    return id
  }

  /** The id of a known series. */
  find(device: string, channel: string): number | undefined {
    return this.#ids.get(internKey(device, channel))
  }

  get(id: number): SeriesDescriptor | undefined {
    return this.#descriptors[id]
  }
}

/** Unlike `seriesKey` never the same for two series, whatever characters their names have. */
function internKey(device: string, channel: string): string {
  return `${device.length}/${device}/${channel}`
}
