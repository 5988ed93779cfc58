/**
 * The batch stream for one host, on plain files and LMDB: any number of processes and threads share a directory.
 *
 * Batches lie in append-only logs, one per producer, epoch and shard (`segment-format`), written with plain system calls
 * so that a drain worker may be terminated at any moment. Everything else is in LMDB, used by main threads only:
 * who owns a shard, how far it is settled, its handlers' state, retries and dead letters (`control-rows`).
 *
 * What survives what:
 * - A killed process or thread, at any moment: everything reported stored or settled; others go on at once. (A process
 *   that is stopped, not killed, within the microseconds of an LMDB commit holds up the others' commits until it goes on.)
 * - A power cut or a crash of the kernel: settlements, whole. Of the batches, those that the kernel had not written
 *   out yet, usually the last 5 to 30 seconds, may be lost; what is left of them is recognised by checksums. A
 *   producer that still has its batches is told by `gap` what to send again. The store itself stays sound.
 * - A full disk or a store at its bound: appends are refused, and go on when space is free.
 *
 * Needs a local file system with hard links.
 */
import { systemClock } from '#core/time/clock'
import type { BatchProducer, BatchStream } from '#core/transport/batch-stream'
import { EmbeddedBatchStream } from './embedded-batch-stream.js'
import { EmbeddedProducer } from './embedded-producer.js'
import { openStoreDirectory } from './store-directory.js'

/**
 * Opens the writing end; any thread, as many as wanted.
 *
 * @param options see `EmbeddedOptions`
 * @throws TLM_OPTIONS_INVALID an option is missing or out of range
 * @throws TLM_STREAM_MISCONFIGURED the directory cannot be used, or holds a store of another version or shard count
 * @throws TLM_STREAM_UNAVAILABLE the disk failed or is full
 */
export async function openBatchProducer(options: unknown): Promise<BatchProducer> {
  return new EmbeddedProducer(openStoreDirectory(options), systemClock)
}

/**
 * Opens the reading end; main threads only.
 *
 * @param options see `EmbeddedOptions`
 * @param holder unique name of this process among all that share the directory
 * @throws TLM_PACKAGE_MISSING the package lmdb is not installed
 * @throws TLM_OPTIONS_INVALID, TLM_STREAM_MISCONFIGURED, TLM_STREAM_UNAVAILABLE as {@link openBatchProducer}
 */
export async function openBatchStream(options: unknown, holder: string): Promise<BatchStream> {
  return new EmbeddedBatchStream(openStoreDirectory(options), holder, systemClock)
}
