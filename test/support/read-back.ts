import { BatchDecoder } from '#core/codec/batch-codec'
import type { DecodedBatch } from '#core/model/batch'
import type { StreamLocator, StreamModule } from '#core/transport/batch-stream'

export interface StoredSeries {
  /** By `device/channel`: sequences in the order in which the store gives them. */
  sequences: Map<string, number[]>
  samples: number
  /** Instants of the oldest and the newest sample, microseconds. */
  oldestUs: number
  newestUs: number
  batches: number
}

/**
 * Leases all that a store holds, as a processor would, and decodes it. The entries stay in the store.
 *
 * @param onBatch sees each batch, which is valid during the call
 */
export async function readBack(
  { moduleUrl, options }: StreamLocator,
  onBatch: (batch: DecodedBatch) => void = () => {},
): Promise<StoredSeries> {
  const { openBatchStream } = (await import(moduleUrl)) as StreamModule
  const stream = await openBatchStream(options, `read-back-${process.pid}-${performance.now()}`)
  const decoder = new BatchDecoder()
  const stored: StoredSeries = { sequences: new Map(), samples: 0, oldestUs: Infinity, newestUs: -Infinity, batches: 0 }
  try {
    for (let shard = 0; shard < stream.shards; shard++) {
      const owned = await stream.own(shard, 30_000)
      if (owned === undefined) throw new Error(`Shard ${shard} has an owner.`)
      for (;;) {
        const entries = await owned.lease({ maxEntries: 256, maxBytes: 1 << 24 }, 0)
        if (entries.length === 0) break
        for (const entry of entries) {
          const batch = decoder.decode(entry.body)
          onBatch(batch)
          stored.batches++
          stored.samples += batch.count
          for (let row = 0; row < batch.count; row++) {
            const { device, channel } = batch.series[batch.seriesIndex[row]]
            stored.oldestUs = Math.min(stored.oldestUs, batch.takenAtUs[row])
            stored.newestUs = Math.max(stored.newestUs, batch.takenAtUs[row])
            const key = `${device}/${channel}`
            const known = stored.sequences.get(key)
            if (known === undefined) stored.sequences.set(key, [batch.sequences[row]])
            else known.push(batch.sequences[row])
          }
        }
      }
      await owned.release()
    }
  } finally {
    await stream.close()
  }
  return stored
}
