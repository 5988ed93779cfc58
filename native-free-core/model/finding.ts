/** The five analyses that ship with the processor. */
export const HANDLER_TYPES = [
  'telemetry.analyze',
  'telemetry.anomaly_detect',
  'telemetry.aggregate',
  'telemetry.store',
  'telemetry.alert',
] as const

export type BuiltInHandlerType = (typeof HANDLER_TYPES)[number]

/**
 * A handler's result, written by upsert: the same `key` at the same or a higher `revision` replaces what was there,
 * so writing a finding again changes nothing.
 */
export interface Finding {
  /** Deterministic over the input alone, e.g. `aggregate/roof/temperature/60000/1700000000000000`. */
  key: string
  /** Grows whenever the finding of this key says something newer; integer. */
  revision: number
  /** Handler type, e.g. `telemetry.aggregate`. */
  handler: string
  device: string
  channel: string
  /** Event time it speaks of, microseconds since the Unix epoch. */
  atUs: number
  /** Correlation id of the batch that caused it, see `batchId`. */
  batch: string
  /** JSON-serialisable result. */
  body: Readonly<Record<string, unknown>>
}
