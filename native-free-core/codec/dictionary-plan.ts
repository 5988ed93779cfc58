import { TelemetryError } from '../errors/telemetry-error.js'
import type { SeriesDescriptor } from '../model/series.js'
import { packEntry } from './batch-dictionary.js'
import { MAX_BATCH_SAMPLES, MAX_BYTE_SERIES } from './batch-wire.js'

/** The dictionary of the batch that is being planned: series in order of appearance. Remembers packed entries. */
export class DictionaryPlan {
  readonly #packed: { descriptor: SeriesDescriptor; entry: Uint8Array }[] = []
  #series: readonly SeriesDescriptor[] = []
  /** Place in the dictionary plus 1, by series id; 0: not in this batch. */
  #placeOf = new Uint32Array(64)
  readonly #ids: number[] = []
  #isLastNew = false
  readonly #devices = new Map<string, number>()
  /** Packed entries, by place. */
  readonly entries: Uint8Array[] = []
  /** Number of the device, by place. */
  readonly deviceOf = new Uint16Array(MAX_BATCH_SAMPLES)
  /** Length of all entries. */
  bytes = 0

  get devices(): number {
    return this.#devices.size
  }

  /** Bytes that a place takes. */
  get placeWidth(): 1 | 2 {
    return this.#ids.length <= MAX_BYTE_SERIES ? 1 : 2
  }

  begin(series: readonly SeriesDescriptor[]): void {
    for (const id of this.#ids) this.#placeOf[id] = 0
    this.#series = series
    if (series.length > this.#placeOf.length) this.#placeOf = new Uint32Array(2 * series.length)
    this.#ids.length = 0
    this.#devices.clear()
    this.entries.length = 0
    this.bytes = 0
  }

  /**
   * The place of a series; adds it when this batch has not had it yet.
   *
   * @throws TLM_INVARIANT_BROKEN the series is unknown, or one of its names too long
   */
  placeOf(id: number): number {
    const known = this.#placeOf[id]
    this.#isLastNew = !(known > 0)
    return this.#isLastNew ? this.#add(id) : known - 1
  }

  /** Undoes the last {@link placeOf}: forgets the series if that call added it. */
  takeBack(): void {
    if (!this.#isLastNew) return
    const id = this.#ids.pop()!
    const place = this.#ids.length
    this.#placeOf[id] = 0
    this.bytes -= this.entries.pop()!.length
    const isDeviceLeft = this.deviceOf.subarray(0, place).includes(this.deviceOf[place])
    if (!isDeviceLeft) this.#devices.delete(this.#series[id].device)
    this.#isLastNew = false
  }

  #add(id: number): number {
    const entry = this.#entryOf(id)
    const { device } = this.#series[id]
    const place = this.#ids.push(id) - 1
    this.#placeOf[id] = place + 1
    this.entries.push(entry)
    this.bytes += entry.length
    const number = this.#devices.get(device) ?? this.#devices.size
    this.#devices.set(device, number)
    this.deviceOf[place] = number
    return place
  }

  #entryOf(id: number): Uint8Array {
    const descriptor = this.#series[id]
    if (descriptor === undefined) {
      throw new TelemetryError(
        'TLM_INVARIANT_BROKEN',
        `Batch: a row has series ${id}, but only ${this.#series.length} series are known.`,
        { series: id },
      )
    }
    const known = this.#packed[id]
    if (known?.descriptor === descriptor) return known.entry
    const entry = packEntry(descriptor)
    this.#packed[id] = { descriptor, entry }
    return entry
  }
}
