/** Entry of a thread that looks into the body of one dead letter and ends: bodies may be hostile. */
import { parentPort, workerData } from 'node:worker_threads'
import { BatchDecoder } from '#core/codec/batch-codec'
import { messageOf, TelemetryError } from '#core/errors/telemetry-error'
import type { DecodedBatch } from '#core/model/batch'
import { QUALITY_NAMES } from '#core/model/quality'
import type { InspectedSample, InspectedSeries, Inspection, InspectRequest } from '#core/protocol/inspect-messages'

const MAX_SERIES = 50
const SHOWN_BYTES = 512

if (parentPort === null)
  throw new TelemetryError('TLM_INVARIANT_BROKEN', 'inspect-worker runs in a worker thread only.')
const { body, maxSamples } = workerData as InspectRequest
parentPort.postMessage(inspect())

function inspect(): Inspection {
  try {
    return describe(new BatchDecoder().decode(body))
  } catch (error) {
    const hex = Buffer.from(body.buffer, body.byteOffset, Math.min(body.byteLength, SHOWN_BYTES)).toString('hex')
    return { kind: 'unreadable', reason: messageOf(error), hex }
  }
}

function describe(batch: DecodedBatch): Inspection {
  const { producer, epoch, seq, count, takenAtUs } = batch
  const counts = new Uint32Array(batch.series.length)
  let [first, last] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (let i = 0; i < count; i++) {
    counts[batch.seriesIndex[i]]++
    first = Math.min(first, takenAtUs[i])
    last = Math.max(last, takenAtUs[i])
  }
  const series = batch.series.slice(0, MAX_SERIES).map((one, i): InspectedSeries => ({ ...one, samples: counts[i] }))
  return {
    kind: 'batch',
    ...{ producer, epoch, seq },
    samples: count,
    firstTakenAtUs: count > 0 ? first : undefined,
    lastTakenAtUs: count > 0 ? last : undefined,
    seriesCount: batch.series.length,
    series,
    first: Array.from({ length: Math.min(count, maxSamples) }, (_, i) => sampleAt(batch, i)),
  }
}

function sampleAt(batch: DecodedBatch, i: number): InspectedSample {
  const { device, channel, unit } = batch.series[batch.seriesIndex[i]]
  return {
    ...{ device, channel, unit },
    takenAtUs: batch.takenAtUs[i],
    value: batch.values[i],
    quality: QUALITY_NAMES[batch.qualities[i]] ?? 'good',
    sequence: batch.sequences[i],
  }
}
