/** What the processor's REST queries accept; everything else is answered with 422 and all problems at once. */
import { z } from 'zod'
import { TelemetryError } from '#core/errors/telemetry-error'
import { integer, oneOf, text } from '#core/options/fields'
import type { FindingQuery, SampleQuery } from '#core/protocol/sink-messages'

const MAX_FINDINGS = 10_000
const MAX_SAMPLES = 100_000

const findingSchema = z.strictObject({
  handler: text(64).optional(),
  device: text(128).optional(),
  channel: text(64).optional(),
  from: instant().optional(),
  to: instant().optional(),
  limit: integer(1, MAX_FINDINGS).default(100),
  order: oneOf('desc', 'asc').default('desc'),
})

const sampleSchema = z.strictObject({
  device: text(128),
  channel: text(64),
  from: instant().optional(),
  to: instant().optional(),
  limit: integer(1, MAX_SAMPLES).default(1000),
})

/** @throws TLM_OPTIONS_INVALID */
export function readFindingQuery(query: unknown): FindingQuery {
  const { from, to, order, ...rest } = parse(findingSchema, query)
  return { ...rest, fromUs: from, toUs: to, order: order === 'desc' ? 'newest-first' : 'oldest-first' }
}

/** @throws TLM_OPTIONS_INVALID */
export function readSampleQuery(query: unknown): SampleQuery {
  const { from, to, ...rest } = parse(sampleSchema, query)
  return { ...rest, fromUs: from, toUs: to }
}

function parse<Schema extends z.ZodType>(schema: Schema, query: unknown): z.output<Schema> {
  const parsed = schema.safeParse(query)
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'query'}: ${message}`)
  throw new TelemetryError('TLM_OPTIONS_INVALID', problems.join('; '))
}

/** Microseconds since the Unix epoch as digits, or an ISO 8601 time; in microseconds. */
function instant() {
  return z.string().transform((raw, context) => {
    const us = /^\d{1,16}$/.test(raw) ? Number(raw) : Math.round(Date.parse(raw) * 1000)
    if (Number.isSafeInteger(us)) return us
    context.addIssue({
      code: 'custom',
      message: 'expected microseconds since 1970 or a time such as 2026-01-31T12:00:00Z',
    })
    return z.NEVER
  })
}
