import type { DecodedBatch } from '#core/model/batch'
import { QUALITY, type QualityName } from '#core/model/quality'
import type { SeriesDescriptor } from '#core/model/series'

export interface BatchSample {
  device?: string
  channel?: string
  value: number
  takenAtUs: number
  sequence?: number
  quality?: QualityName
}

/** The samples as a decoder gives them; device `d` and channel `c` when not said. */
export function batchOf(samples: readonly BatchSample[]): DecodedBatch {
  const series: SeriesDescriptor[] = []
  const indexes = new Map<string, number>()
  const seriesIndex = samples.map(({ device = 'd', channel = 'c' }) => {
    const key = JSON.stringify([device, channel])
    const known = indexes.get(key)
    if (known !== undefined) return known
    indexes.set(key, series.length)
    return series.push({ device, channel, unit: 'u' }) - 1
  })
  return {
    producer: 'test',
    epoch: 1,
    seq: 1,
    count: samples.length,
    series,
    seriesIndex: Uint32Array.from(seriesIndex),
    values: Float64Array.from(samples, ({ value }) => value),
    takenAtUs: Float64Array.from(samples, ({ takenAtUs }) => takenAtUs),
    sequences: Uint32Array.from(samples, ({ sequence = 0 }) => sequence),
    qualities: Uint8Array.from(samples, ({ quality = 'good' }) => QUALITY[quality]),
    raw: new Map(),
  }
}
