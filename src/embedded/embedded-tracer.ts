import { closeSync, mkdirSync, openSync } from 'node:fs'
import { batchId, isOfBatch } from '#core/model/batch'
import type { Clock } from '#core/time/clock'
import type { BatchName, BatchPlace, BatchTrace, BatchTracer, LiveBatch } from '#core/transport/batch-tracer'
import type { ControlRows } from './control-rows.js'
import { ControlView } from './control-view.js'
import { letterOf } from './dead-rows.js'
import { openLeaseClock } from './lease-clock.js'
import {
  listSegments,
  numberingName,
  readFrom,
  readSegment,
  readSegmentHeader,
  type SegmentFile,
  segmentPath,
} from './segment-files.js'
import { decodeRecordHeader, decodeSegmentHeader, MAX_HEADER_BYTES, type RecordHeader } from './segment-format.js'
import { isSettled } from './settled-set.js'
import { type StoreDirectory, shardFolders } from './store-directory.js'
import { isMissing, storeError } from './store-failure.js'

/** Looks through a shard's files for one batch. Cost: reads its control log and one segment. */
export class EmbeddedTracer implements BatchTracer {
  readonly #store: StoreDirectory
  readonly #clock: Clock

  constructor(store: StoreDirectory, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  get shards(): number {
    return this.#store.shards
  }

  async trace(batch: BatchName): Promise<BatchTrace> {
    try {
      return this.#trace(batch)
    } catch (error) {
      throw storeError(error, this.#store.directory)
    }
  }

  async close(): Promise<void> {}

  #trace(batch: BatchName): BatchTrace {
    const trace: BatchTrace = { places: [], highWaterSeq: undefined, owner: undefined, isComplete: true }
    if (batch.shard >= this.shards) return trace
    const folders = shardFolders(this.#store, batch.shard)
    mkdirSync(folders.control, { recursive: true }) // made by the first that owns the shard
    const { rows, owner } = new ControlView(folders.control, openLeaseClock()).refresh()
    trace.owner = owner
    trace.places.push(...this.#placesInRows(rows, batch))
    const name = numberingName(batch)
    const files = listSegments(folders.log).get(name)
    if (files === undefined) return trace
    trace.highWaterSeq = readSegment(segmentPath(folders.log, files[files.length - 1]))?.extent.highWaterSeq
    const record = findRecord(folders.log, files, batch.seq)
    const settled = rows.cursors.get(name)?.settled
    if (record === undefined || (settled && isSettled(settled[record.priority], batch.seq))) return trace
    const handed = (rows.handed.get(name)?.[record.priority] ?? 0) >= batch.seq
    const live: LiveBatch = {
      priority: record.priority,
      storedAtMs: record.storedAtUs / 1000,
      attempts: 0,
      deliveries: rows.deliveries.get(`${name} ${batch.seq}`) ?? Number(handed),
      generation: 0,
      samples: record.samples,
      bytes: record.bodyBytes,
    }
    const isInFlight = handed && owner !== undefined
    trace.places.push(
      isInFlight ? { kind: 'in-flight', owner, forMs: undefined, ...live } : { kind: 'waiting', ...live },
    )
    return trace
  }

  #placesInRows(rows: ControlRows, batch: BatchName): BatchPlace[] {
    const id = batchId(batch, batch.shard)
    const places: BatchPlace[] = []
    for (const [n, row] of rows.retries) {
      if (!isOfBatch(row.correlationId, id)) continue
      const { priority, attempts, samples, bytes, dueAtMs, storedAtUs, deliveryCount, generation = 0 } = row
      const deliveries = rows.deliveries.get(`retry ${n}`) ?? deliveryCount
      const live = { priority, storedAtMs: storedAtUs / 1000, attempts, deliveries, generation, samples, bytes }
      const isDue = dueAtMs <= this.#clock.nowUs() / 1000
      places.push(isDue ? { kind: 'waiting', ...live } : { kind: 'delayed', dueAtMs, ...live })
    }
    for (const numbered of rows.dead) {
      if (isOfBatch(numbered[1].correlationId, id))
        places.push({ kind: 'dead', letter: letterOf(batch.shard, numbered) })
    }
    return places
  }
}

/** The record with the number, if its segment is still there. */
function findRecord(folder: string, files: readonly SegmentFile[], seq: number): RecordHeader | undefined {
  const file = files.findLast((one) => {
    const header = readSegmentHeader(segmentPath(folder, one))
    return header !== undefined && header.highWaterSeq < seq
  })
  if (file === undefined) return undefined
  const bytes = readWhole(segmentPath(folder, file))
  const header = bytes && decodeSegmentHeader(bytes.subarray(0, MAX_HEADER_BYTES))
  if (header === undefined) return undefined
  let lastSeq = header.highWaterSeq
  for (let at = header.headerBytes; ; ) {
    const record = decodeRecordHeader(bytes!, at)
    if (record === undefined) return undefined
    if (record.after === lastSeq) {
      if (record.seq === seq) return record
      lastSeq = record.seq
    }
    at += record.headerBytes + record.bodyBytes
  }
}

function readWhole(path: string): Buffer | undefined {
  try {
    const fd = openSync(path, 'r')
    try {
      return readFrom(fd, 0)
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}
