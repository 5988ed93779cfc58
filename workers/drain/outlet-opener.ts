import type { DrainWorkerData } from '#core/protocol/drain-messages'
import type { BatchProducer, StreamModule } from '#core/transport/batch-stream'
import { openListOutlet } from './list-outlet.js'
import type { Outlet } from './outlet.js'
import type { SeriesCatalogue } from './series-catalogue.js'
import { type BatchStore, StreamOutlet } from './stream-outlet.js'

/** A reading of so many samples always fits one chunk whole, in list mode. */
const MAX_READING_SAMPLES = 4096

/** Bounds the memory of chunks in flight, and the time that one keeps the worker from its messages. */
const MAX_CHUNK_SAMPLES = 32_768

export interface OutletOpener {
  /** Most rows that a chunk may have. */
  readonly capacity: number
  /** @throws TLM_STREAM_UNAVAILABLE, TLM_STREAM_MISCONFIGURED */
  open(): Promise<Outlet>
  /** The parts of {@link open}, for a spool to go between; `undefined` in list mode. */
  readonly stream?: {
    /** @throws TLM_STREAM_UNAVAILABLE, TLM_STREAM_MISCONFIGURED */
    openStore(): Promise<BatchProducer>
    outletTo(store: BatchStore): Outlet
  }
}

/**
 * Loads the store's module, so that a worker that cannot even do that fails at once.
 *
 * @param slots of the ring
 */
export async function loadOpener(
  data: DrainWorkerData,
  catalogue: SeriesCatalogue,
  slots: number,
): Promise<OutletOpener> {
  const { publish, producer, epoch, batch } = data
  if (publish.mode === 'list') {
    const capacity = Math.max(batch.maxSamples, MAX_READING_SAMPLES)
    return { capacity, open: () => openListOutlet({ publish, catalogue, producer, epoch }) }
  }
  const { moduleUrl, options } = publish.locator
  const { openBatchProducer } = (await import(moduleUrl)) as StreamModule
  const { maxSamples, maxBytes } = batch
  // Under load a chunk fills a batch of every shard, but leaves room in the ring for others in flight.
  const capacity = Math.max(maxSamples, Math.min(maxSamples * catalogue.shards, slots / 4, MAX_CHUNK_SAMPLES))
  const openStore = () => openBatchProducer(options)
  const outletTo = (store: BatchStore) =>
    new StreamOutlet({ store, catalogue, producer, epoch, maxSamples, maxBytes, capacity })
  return { capacity, open: async () => outletTo(await openStore()), stream: { openStore, outletTo } }
}
