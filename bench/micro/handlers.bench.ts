/** What the handlers cost per sample on one thread: batches of 700 decoded samples, several of them in a run. */
import type { DecodedBatch } from '#core/model/batch'
import { HANDLER_TYPES } from '#core/model/finding'
import type { SeriesDescriptor } from '#core/model/series'
import { readHandlerOptions } from '#core/options/handlers/read-handler-options'
import type { HandlerReply } from '#core/protocol/handler-messages'
import { HandlerSet } from '#workers/handlers/handler-set'
import { ShardRunner } from '#workers/shard-runner'
import { UserHandlers } from '#workers/user-handlers/user-handlers'
import type { Bench, BenchMode, BenchRow } from '../bench.js'

const SAMPLES = 700
const BATCHES_PER_RUN = 8
const BODY_BYTES = 8100
/** Runs between checkpoints: about a second's worth at 3 M samples/s. */
const RUNS_PER_CHECKPOINT = 500

const users = await UserHandlers.load([])

export const bench: Bench = {
  title: 'Handlers on one thread, 700 decoded samples a batch',
  async run(mode) {
    const rows: BenchRow[] = []
    for (const series of [8, 64]) {
      for (const type of HANDLER_TYPES) rows.push(row(`${type}, ${series} series`, measure([type], series, mode)))
      const nsPerSample = measure(HANDLER_TYPES, series, mode)
      rows.push(row(`all five, ${series} series`, nsPerSample))
      rows.push({ contender: `all five, ${series} series`, unit: 'samples/s', value: 1e9 / nsPerSample })
    }
    return rows
  },
}

function row(contender: string, value: number): BenchRow {
  return { contender, unit: 'ns/sample', value, note: 'median, samples and summaries checked' }
}

function measure(types: readonly string[], seriesCount: number, mode: BenchMode): number {
  const rounds = mode === 'short' ? 5 : 15
  const figures = Array.from({ length: rounds + 1 }, () => round(types, seriesCount)).slice(1) // first warms up
  return figures.toSorted((a, b) => a - b)[figures.length >> 1]
}

/** One life of a shard: nanoseconds per sample, checkpoints included. */
function round(types: readonly string[], seriesCount: number): number {
  const specs = types.map((type) => ({ type, options: readHandlerOptions(type, {}).options ?? {} }))
  const dictionary = dictionaryOf(seriesCount)
  const batches = Array.from({ length: 64 }, (_, index) => noisyBatch(dictionary, index))
  let next = 0
  const runner = new ShardRunner(new HandlerSet(specs), users, () => advance(batches, next++))
  const bodies = new Uint8Array(BODY_BYTES * BATCHES_PER_RUN)
  const entries = Array.from({ length: BATCHES_PER_RUN }, (_, index) => ({
    id: `${index}`,
    offset: index * BODY_BYTES,
    length: BODY_BYTES,
    correlationId: `b.${index}`,
    handler: '*',
  }))
  const runs = RUNS_PER_CHECKPOINT
  let reply: HandlerReply | undefined
  let samples = 0
  const start = performance.now()
  for (let run = 1; run <= runs; run++) {
    reply = runner.run({
      shard: 0,
      entries,
      bodies,
      checkpoint: run === runs,
      ...(reply && { state: reply.state }),
    })
    for (const result of reply.results) samples += result.samples
  }
  const ns = (performance.now() - start) * 1e6
  check(reply as HandlerReply, types, samples, runs * BATCHES_PER_RUN * SAMPLES)
  return ns / samples
}

function check({ findings }: HandlerReply, types: readonly string[], samples: number, expected: number): void {
  const summaries = findings.filter(({ handler }) => handler === 'telemetry.analyze')
  const counts = new Map(summaries.map(({ key, body }) => [key, body.count as number]))
  const counted = [...counts.values()].reduce((sum, count) => sum + count, 0)
  if (samples !== expected || (types.includes('telemetry.analyze') && counted !== expected)) {
    throw new Error(`${expected} samples went in, ${samples} were taken and ${counted} are in the summaries.`)
  }
}

/** One frozen object for all batches: so the decoder gives equal dictionaries. */
function dictionaryOf(seriesCount: number): readonly SeriesDescriptor[] {
  const series = Array.from({ length: seriesCount }, (_, channel) => ({
    device: `device-${channel >> 2}`,
    channel: ['temperature', 'humidity', 'voltage', 'pressure'][channel & 3],
    unit: 'u',
  }))
  return Object.freeze(series)
}

/** A sensor's level with some noise; one sample in 5000 is an outlier. */
function noisyBatch(series: readonly SeriesDescriptor[], index: number): DecodedBatch {
  const seriesCount = series.length
  let seed = index + 1
  const random = () => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
    return seed / 2 ** 32
  }
  const noise = () => random() + random() + random() - 1.5
  return {
    producer: 'bench',
    epoch: 1,
    seq: index + 1,
    count: SAMPLES,
    series,
    seriesIndex: Uint8Array.from({ length: SAMPLES }, (_, sample) => sample % seriesCount),
    values: Float64Array.from({ length: SAMPLES }, () => 20 + noise() + (random() < 0.0002 ? 40 : 0)),
    takenAtUs: Float64Array.from({ length: SAMPLES }, (_, sample) => 1.7e15 + (index * SAMPLES + sample) * 1000),
    sequences: Uint32Array.from({ length: SAMPLES }, (_, sample) => sample),
    qualities: new Uint8Array(SAMPLES),
    raw: new Map(),
  }
}

/** The same 64 batches again and again, each time later. */
function advance(batches: readonly DecodedBatch[], use: number): DecodedBatch {
  const batch = batches[use % batches.length]
  if (use >= batches.length) {
    const shiftUs = batches.length * SAMPLES * 1000
    for (let sample = 0; sample < SAMPLES; sample++) batch.takenAtUs[sample] += shiftUs
  }
  return batch
}
