import { z } from 'zod'
import type { CamelKeys } from '../camel-keys.js'
import { durationMs, list } from '../fields.js'

const DAY_MS = 86_400_000

/** Windows of one size that a series may hold open at a time. */
export const MAX_OPEN_WINDOWS = 64

export const aggregateSchema = z
  .strictObject({
    /** Lengths of the tumbling windows, each aligned to the Unix epoch. */
    sizes_ms: list(durationMs(1, 31 * DAY_MS)).default([60_000]),
    /** How far out of order samples may come before their window has fired. */
    out_of_orderness_ms: durationMs(0, DAY_MS).default(0),
    /** How long after it has fired a window still takes samples, each firing it again with a higher revision. */
    allowed_lateness_ms: durationMs(0, DAY_MS).default(10_000),
  })
  .superRefine(({ sizes_ms, out_of_orderness_ms, allowed_lateness_ms }, context) => {
    const problem = findSizesProblem(sizes_ms, out_of_orderness_ms + allowed_lateness_ms)
    if (problem !== undefined)
      context.addIssue({ code: 'custom', path: ['sizes_ms'], message: problem, input: sizes_ms })
  })

/** Options of `telemetry.aggregate`. */
export type AggregateOptions = CamelKeys<z.output<typeof aggregateSchema>>

function findSizesProblem(sizes: readonly number[], patienceMs: number): string | undefined {
  if (sizes.length < 1 || sizes.length > 8) return 'expected 1 to 8 window sizes'
  if (new Set(sizes).size < sizes.length) return 'expected each window size once'
  if (!sizes.every(Number.isInteger)) return 'expected whole milliseconds'
  const smallest = Math.min(...sizes)
  if (patienceMs / smallest > MAX_OPEN_WINDOWS - 2) {
    const most = (MAX_OPEN_WINDOWS - 2) * smallest
    return `expected out_of_orderness_ms and allowed_lateness_ms together at most ${most} ms for windows of ${smallest} ms`
  }
  return undefined
}
