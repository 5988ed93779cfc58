import type { SeriesDescriptor } from '#core/model/series'
import { SeriesTable } from '#core/model/series-table'

export type SeriesRefusal = 'series_name_invalid' | 'series_limit_reached'

const MAX_DEVICE = 128
const MAX_CHANNEL = 64
const MAX_UNIT = 32

/** All series of the hub, bounded in number and in the length of their names. Thread: the hub's main thread. */
export class SeriesRegistry {
  readonly #table = new SeriesTable()
  readonly #maxSeries: number
  /** Called after a series was added: whoever drains it must be told. */
  onNewSeries: () => void = () => {}

  constructor(maxSeries: number) {
    this.#maxSeries = maxSeries
  }

  get size(): number {
    return this.#table.size
  }

  /** Every series, indexed by id. */
  get descriptors(): readonly SeriesDescriptor[] {
    return this.#table.descriptors
  }

  /** The id of the series, an existing one when device and channel are known, or why there is none. */
  intern(series: SeriesDescriptor): number | SeriesRefusal {
    const { device, channel, unit } = series
    const isValid = isWithin(device, 1, MAX_DEVICE) && isWithin(channel, 1, MAX_CHANNEL) && isWithin(unit, 0, MAX_UNIT)
    if (!isValid) return 'series_name_invalid'
    const known = this.#table.find(device, channel)
    if (known !== undefined) return known
    if (this.#table.size >= this.#maxSeries) return 'series_limit_reached'
    const id = this.#table.intern(series)
    this.onNewSeries()
    return id
  }
}

function isWithin(text: string, min: number, max: number): boolean {
  return text.length >= min && text.length <= max
}
