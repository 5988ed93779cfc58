import { BatchDecoder } from '#core/codec/batch-codec'
import type { SampleQuery, StoredSample } from '#core/protocol/sink-messages'

const decoder = new BatchDecoder()

/**
 * The samples of one series out of a stored batch, those of `[fromUs, toUs)`. Thread: a sink's.
 *
 * @throws TLM_BATCH_UNREADABLE
 */
export function samplesOfChunk(
  batch: string,
  body: Uint8Array,
  { device, channel, fromUs = 0, toUs = Number.MAX_SAFE_INTEGER }: SampleQuery,
): StoredSample[] {
  const { series, seriesIndex, takenAtUs, values, qualities, sequences, count } = decoder.decode(body)
  const index = series.findIndex((candidate) => candidate.device === device && candidate.channel === channel)
  if (index === -1) return []
  const { unit } = series[index]
  const samples: StoredSample[] = []
  for (let row = 0; row < count; row++) {
    if (seriesIndex[row] !== index || takenAtUs[row] < fromUs || takenAtUs[row] >= toUs) continue
    samples.push({
      takenAtUs: takenAtUs[row],
      value: values[row],
      quality: qualities[row],
      sequence: sequences[row],
      unit,
      batch,
    })
  }
  return samples
}
