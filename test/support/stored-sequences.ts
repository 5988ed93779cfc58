import { BatchDecoder } from '#core/codec/batch-codec'
import type { MemoryStore } from './memory-store.js'

/** Sequences of each device, in the order of `devices`, as the store has them, in order of storing. */
export function storedSequences(store: MemoryStore, devices: readonly string[]): number[][] {
  const decoder = new BatchDecoder()
  const sequences = new Map(devices.map((device) => [device, [] as number[]]))
  for (const { body } of store.entries) {
    const batch = decoder.decode(body)
    for (let row = 0; row < batch.count; row++) {
      sequences.get(batch.series[batch.seriesIndex[row]].device)!.push(batch.sequences[row])
    }
  }
  return [...sequences.values()]
}
