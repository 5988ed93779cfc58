import { z } from 'zod'
import type { CamelKeys } from '../camel-keys.js'
import { integer } from '../fields.js'

export const analyzeSchema = z.strictObject({
  /** Most summaries that one run emits between checkpoints; a checkpoint emits all that changed. */
  max_summaries_per_run: integer(0, 100_000).default(256),
})

/** Options of `telemetry.analyze`. */
export type AnalyzeOptions = CamelKeys<z.output<typeof analyzeSchema>>
