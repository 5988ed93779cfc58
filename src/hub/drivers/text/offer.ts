import type { SampleSink } from '../driver.js'
import type { ReadingParser } from './reading-parser.js'

/**
 * Offers what the parser read, waiting for room as often as the ring is full.
 *
 * @param isRecorded see `SampleSink.reading`
 * @returns `false` when `signal` aborted before all was taken
 */
export async function offerReading(
  parser: ReadingParser,
  takenAtUs: number,
  sink: SampleSink,
  signal: AbortSignal,
  isRecorded: boolean,
  raw?: Uint8Array,
): Promise<boolean> {
  let bytes = raw
  for (const group of parser.groups) {
    if (group.series.length === 0) continue
    while (!sink.reading(takenAtUs, group.series, group.values, group.quality, bytes, isRecorded)) {
      if (!(await roomOrAbort(sink, signal))) return false
    }
    bytes = undefined
  }
  return true
}

/** Waits for room in the ring; `false` when `signal` aborts first. */
export async function roomOrAbort(sink: SampleSink, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return false
  let onAbort = () => {}
  const aborted = new Promise<void>((resolve) => {
    onAbort = resolve
    signal.addEventListener('abort', onAbort, { once: true })
  })
  try {
    await Promise.race([sink.room(), aborted])
    return !signal.aborted
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
