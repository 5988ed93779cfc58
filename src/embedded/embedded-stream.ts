/**
 * The batch stream for one host, on plain files: any number of processes and threads share a directory, and none of them
 * ever holds a lock. The design, the layout of the files and the measurements behind it: `docs/embedded-store.md`.
 *
 * What survives what:
 * - A thread terminated or a process killed at any moment: everything reported stored or settled. A process that is
 *   stopped holds up nobody, and can do nothing once another has taken its shards.
 * - A power cut or a crash of the kernel: what the kernel had written out, which lacks the last 5 to 30 seconds. Checksums
 *   tell where each file ends. A producer that still has its batches is told by `gap` what to send again; settlements that
 *   are gone are done again, and batches are only removed once the settlement of them is on the disk.
 * - A full disk, or a store at its bound: appends are refused, and go on when space is free.
 *
 * Needs a local file system with hard links.
 */
import { systemClock } from '#core/time/clock'
import type { BatchProducer, BatchStream } from '#core/transport/batch-stream'
import type { BatchTracer } from '#core/transport/batch-tracer'
import type { DeadLetterBox } from '#core/transport/dead-letters'
import type { PressureSignal } from '#core/transport/pressure-signal'
import { EmbeddedBatchStream } from './embedded-batch-stream.js'
import { EmbeddedDeadLetterBox } from './embedded-dead-letters.js'
import { EmbeddedPressure } from './embedded-pressure.js'
import { EmbeddedProducer } from './embedded-producer.js'
import { EmbeddedTracer } from './embedded-tracer.js'
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
 * @throws TLM_OPTIONS_INVALID, TLM_STREAM_MISCONFIGURED, TLM_STREAM_UNAVAILABLE as {@link openBatchProducer}
 */
export async function openBatchStream(options: unknown, holder: string): Promise<BatchStream> {
  return new EmbeddedBatchStream(openStoreDirectory(options), holder, systemClock)
}

/**
 * Opens the dead letters; main threads only.
 *
 * @param options see `EmbeddedOptions`
 * @throws TLM_OPTIONS_INVALID, TLM_STREAM_MISCONFIGURED, TLM_STREAM_UNAVAILABLE as {@link openBatchProducer}
 */
export async function openDeadLetterBox(options: unknown): Promise<DeadLetterBox> {
  return new EmbeddedDeadLetterBox(openStoreDirectory(options), systemClock)
}

/**
 * Opens what finds single batches; main threads only.
 *
 * @param options see `EmbeddedOptions`
 * @throws TLM_OPTIONS_INVALID, TLM_STREAM_MISCONFIGURED, TLM_STREAM_UNAVAILABLE as {@link openBatchProducer}
 */
export async function openBatchTracer(options: unknown): Promise<BatchTracer> {
  return new EmbeddedTracer(openStoreDirectory(options), systemClock)
}

/**
 * Opens what processors say of their backlog; any thread.
 *
 * @param options see `EmbeddedOptions`
 * @throws TLM_OPTIONS_INVALID, TLM_STREAM_MISCONFIGURED, TLM_STREAM_UNAVAILABLE as {@link openBatchProducer}
 */
export async function openPressureSignal(options: unknown): Promise<PressureSignal> {
  return new EmbeddedPressure(openStoreDirectory(options))
}
