import { BatchEncoder } from '#core/codec/batch-codec'
import { allRows, encodeRows, pickRows } from '#core/codec/batch-part'
import { type PortableError, TelemetryError, toPortableError } from '#core/errors/telemetry-error'
import type { DecodedBatch } from '#core/model/batch'
import { seriesKey } from '#core/model/series'
import type {
  DeadSample,
  HandlerEntry,
  HandlerEntryResult,
  HandlerReply,
  HandlerRequest,
  StoredChunk,
} from '#core/protocol/handler-messages'
import { RunMarker } from '#core/protocol/run-marker'
import type { HandlerSet } from './handlers/handler-set.js'
import { RunOutput } from './handlers/run-output.js'
import { SeriesRuns } from './handlers/series-runs.js'
import { type Restarted, SeriesRows } from './state/series-rows.js'
import { DirectoryCache, ShardState } from './state/shard-state.js'
import type { UserHandlers, UserRun } from './user-handlers/user-handlers.js'

/** @throws TLM_BATCH_UNREADABLE */
export type DecodeBatch = (body: Uint8Array) => DecodedBatch

/** Where the entries of one run put what they give. */
interface RunParts {
  output: RunOutput
  chunks: StoredChunk[]
  marker: RunMarker
}

/**
 * Runs the handlers over entries of a shard. An entry that cannot be read, or that a user's handler fails on, has no effect
 * on state or findings; isolated, it takes effect without the samples that are bad. What goes wrong after the users'
 * handlers is a broken invariant and makes the whole run fail.
 *
 * Thread: one of the pool. Cost of the five built-in handlers: `bench/micro/handlers.bench.ts`.
 */
export class ShardRunner {
  readonly #handlers: HandlerSet
  readonly #users: UserHandlers
  readonly #decode: DecodeBatch
  readonly #rows: SeriesRows
  readonly #directories = new DirectoryCache()
  readonly #runs = new SeriesRuns()
  readonly #encoder = new BatchEncoder()

  constructor(handlers: HandlerSet, users: UserHandlers, decode: DecodeBatch) {
    this.#handlers = handlers
    this.#users = users
    this.#decode = decode
    this.#rows = new SeriesRows(handlers)
  }

  /** @throws TLM_INVARIANT_BROKEN the state is not one of this pool's; other errors: the state may be half changed */
  run(request: HandlerRequest): HandlerReply {
    const marker = new RunMarker(request.marker)
    marker.begin()
    const output = new RunOutput()
    output.batch = request.lastCorrelationId ?? ''
    const chunks: StoredChunk[] = []
    const { state, restarted } = this.#attach(request)
    const results = request.entries.map((entry, index) => {
      marker.enterEntry(index)
      return this.#runEntry(entry, request, state, { output, chunks, marker })
    })
    marker.enterEntry(undefined)
    if (request.isProbe) return { results, findings: [], chunks: [], state: state.memory.memory }
    this.#handlers.analyze?.emitSummaries(state, request.checkpoint, output)
    return {
      results,
      findings: output.findings,
      chunks,
      ...(request.checkpoint && { rows: this.#rows.saveChanged(state) }),
      ...(Object.keys(restarted).length > 0 && { restarted }),
      state: state.memory.memory,
    }
  }

  #attach({ shard, state: shared, rows }: HandlerRequest): { state: ShardState; restarted: Restarted } {
    const memory = shared === undefined ? this.#handlers.createMemory() : this.#handlers.attach(shared)
    const state = new ShardState(memory, this.#directories.directoryOf(shard, memory), this.#handlers.initialise)
    return { state, restarted: shared === undefined && rows ? this.#rows.load(state, rows) : {} }
  }

  #runEntry(
    entry: HandlerEntry,
    { bodies, isProbe = false }: HandlerRequest,
    state: ShardState,
    { output, chunks, marker }: RunParts,
  ): HandlerEntryResult {
    const body = bodies.subarray(entry.offset, entry.offset + entry.length)
    let batch: DecodedBatch
    let users: UserRun
    try {
      this.#checkSelector(entry.handler)
      batch = this.#decodeBody(body, entry)
      users = this.#users.run(batch, entry, marker)
    } catch (error) {
      return failedResult(entry, toPortableError(error, 'TLM_HANDLER_FAILED'))
    }
    const kept = users.dead.size === 0 ? undefined : allRows(batch.count).filter((row) => !users.dead.has(row))
    const left = kept === undefined ? batch : pickRows(batch, kept)
    output.batch = entry.correlationId
    output.findings.push(...users.findings)
    this.#analyse(left, entry.handler, state, output)
    const [firstTakenAtUs, lastTakenAtUs] = timeRange(left)
    const result = { id: entry.id, samples: left.count, rejected: output.takeRejected(), firstTakenAtUs, lastTakenAtUs }
    if (isProbe) return result
    if (this.#handlers.stores && selects(entry.handler, 'telemetry.store') && left.count > 0) {
      chunks.push({
        key: entry.correlationId,
        samples: left.count,
        firstTakenAtUs,
        lastTakenAtUs,
        series: left.series.map(seriesKey),
        body: kept === undefined ? new Uint8Array(body) : encodeRows(this.#encoder, batch, kept),
      })
    }
    return kept === undefined ? result : { ...result, dead: this.#deadSamples(batch, users.dead) }
  }

  #deadSamples(batch: DecodedBatch, dead: UserRun['dead']): DeadSample[] {
    return [...dead]
      .sort(([a], [b]) => a - b)
      .map(([row, error]) => {
        const { device, channel } = batch.series[batch.seriesIndex[row]]
        const body = encodeRows(this.#encoder, batch, Uint32Array.of(row))
        const takenAtUs = batch.takenAtUs[row]
        return { row, device, channel, takenAtUs, body, ...(error !== undefined && { error }) }
      })
  }

  #checkSelector(selector: string): void {
    if (selector === '*' || this.#handlers.has(selector) || this.#users.has(selector)) return
    throw new TelemetryError('TLM_TASK_INVALID', `No handler of type ${selector} is configured.`, { handler: selector })
  }

  #decodeBody(body: Uint8Array, { id, length }: HandlerEntry): DecodedBatch {
    if (body.length !== length) {
      throw new TelemetryError('TLM_BATCH_UNREADABLE', `Entry ${id}: ${body.length} of its ${length} bytes came.`, {
        id,
      })
    }
    try {
      return this.#decode(body)
    } catch (error) {
      if (error instanceof TelemetryError) throw error
      throw new TelemetryError('TLM_BATCH_UNREADABLE', toPortableError(error).message, { id }, error)
    }
  }

  #analyse(batch: DecodedBatch, selector: string, state: ShardState, output: RunOutput): void {
    const analyses = this.#handlers.analyses.filter(({ type }) => selects(selector, type))
    if (analyses.length === 0) return
    const runs = this.#runs
    runs.arrange(batch, state, output)
    for (const handler of analyses) {
      for (let run = 0; run < runs.count; run++) handler.apply(state, runs, run, output)
    }
  }
}

function selects(selector: string, type: string): boolean {
  return selector === '*' || selector === type
}

function failedResult({ id }: HandlerEntry, error: PortableError): HandlerEntryResult {
  return { id, samples: 0, rejected: {}, firstTakenAtUs: 0, lastTakenAtUs: 0, error }
}

/** Earliest and latest time; both 0 for a batch without samples. */
function timeRange({ count, takenAtUs }: DecodedBatch): readonly [number, number] {
  if (count === 0) return [0, 0]
  let first = takenAtUs[0]
  let last = first
  for (let i = 1; i < count; i++) {
    if (takenAtUs[i] < first) first = takenAtUs[i]
    else if (takenAtUs[i] > last) last = takenAtUs[i]
  }
  return [first, last]
}
