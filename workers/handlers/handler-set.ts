import { TelemetryError } from '#core/errors/telemetry-error'
import { type BuiltInHandlerType, HANDLER_TYPES } from '#core/model/finding'
import type { SeriesDescriptor } from '#core/model/series'
import type { AggregateOptions } from '#core/options/handlers/aggregate-options'
import type { AlertOptions } from '#core/options/handlers/alert-options'
import type { AnalyzeOptions } from '#core/options/handlers/analyze-options'
import type { AnomalyOptions } from '#core/options/handlers/anomaly-options'
import type { HandlerSpec } from '#core/protocol/handler-messages'
import { ShardMemory } from '../state/shard-memory.js'
import { COMMON_WORDS } from '../state/shard-state.js'
import { AggregateHandler } from './aggregate.js'
import { AlertHandler } from './alert.js'
import { AnalyzeHandler } from './analyze.js'
import { AnomalyDetectHandler } from './anomaly-detect.js'
import { fingerprintOf, type SeriesHandler } from './series-handler.js'

/**
 * The built-in handlers that are configured, and how their fields lie in a record: behind each other in the order of
 * `HANDLER_TYPES`, so that every thread of the pool finds them at the same place.
 */
export class HandlerSet {
  readonly analyses: readonly SeriesHandler[]
  readonly analyze: AnalyzeHandler | undefined
  /** `telemetry.store` is configured. */
  readonly stores: boolean
  readonly recordWords: number
  readonly layout: number
  readonly #types: ReadonlySet<string>

  /**
   * @param specs of the built-in handlers, their options checked by `readHandlerOptions`
   * @throws TLM_OPTIONS_INVALID a type is there twice
   */
  constructor(specs: readonly HandlerSpec[]) {
    this.#types = new Set(specs.map(({ type }) => type))
    if (this.#types.size < specs.length) {
      throw new TelemetryError('TLM_OPTIONS_INVALID', 'handlers: a type is there twice. Fix: give each type one entry.')
    }
    let words = COMMON_WORDS
    const analyses: SeriesHandler[] = []
    for (const type of HANDLER_TYPES) {
      const spec = specs.find((candidate) => candidate.type === type)
      if (spec === undefined || type === 'telemetry.store') continue
      const handler = createHandler(type, spec.options, words)
      analyses.push(handler)
      words += handler.words
    }
    this.analyses = analyses
    this.analyze = analyses.find((handler): handler is AnalyzeHandler => handler instanceof AnalyzeHandler)
    this.stores = this.#types.has('telemetry.store')
    this.recordWords = words
    this.layout = fingerprintOf(analyses.map((handler) => [handler.type, handler.words, handler.fingerprint])) | 0
  }

  has(type: string): boolean {
    return this.#types.has(type)
  }

  createMemory(): ShardMemory {
    return ShardMemory.create(this.recordWords, this.layout)
  }

  /** @throws TLM_INVARIANT_BROKEN the memory is not one of this configuration */
  attach(memory: SharedArrayBuffer): ShardMemory {
    return new ShardMemory(memory, this.recordWords, this.layout)
  }

  readonly initialise = (memory: ShardMemory, slot: number, series: SeriesDescriptor): void => {
    for (const handler of this.analyses) handler.initialise(memory, slot, series)
  }
}

type AnalysisType = Exclude<BuiltInHandlerType, 'telemetry.store'>

function createHandler(type: AnalysisType, options: Readonly<Record<string, unknown>>, offset: number): SeriesHandler {
  const checked: unknown = options
  switch (type) {
    case 'telemetry.analyze':
      return new AnalyzeHandler(checked as AnalyzeOptions, offset)
    case 'telemetry.anomaly_detect':
      return new AnomalyDetectHandler(checked as AnomalyOptions, offset)
    case 'telemetry.aggregate':
      return new AggregateHandler(checked as AggregateOptions, offset)
    case 'telemetry.alert':
      return new AlertHandler(checked as AlertOptions, offset)
  }
}
