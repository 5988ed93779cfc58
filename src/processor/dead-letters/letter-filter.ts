/** The fields that select dead letters, the same for REST queries, REST bodies and the command line. */
import { z } from 'zod'
import { MAX_DEVICE_CHARACTERS } from '#core/codec/batch-wire'
import { TelemetryError } from '#core/errors/telemetry-error'
import { integer, oneOf, text } from '#core/options/fields'
import type { DeadLetterFilter } from '#core/transport/dead-letters'
import { parseId } from '#core/transport/dead-letters/positions'

const filterFields = {
  class: text(128).optional(),
  fingerprint: text(64).optional(),
  shard: integer(0, 63).optional(),
  correlation: text(256).optional(),
  device: text(MAX_DEVICE_CHARACTERS).optional(),
  from: instantMs().optional(),
  to: instantMs().optional(),
}

export const MAX_PAGE = 1000

export const filterSchema = z.strictObject(filterFields).transform(toFilter)

export const listSchema = z
  .strictObject({
    ...filterFields,
    order: oneOf('desc', 'asc').default('desc'),
    limit: integer(1, MAX_PAGE).default(50),
    cursor: text(64).optional(),
  })
  .transform(({ order, limit, cursor, ...fields }) => ({
    filter: toFilter(fields),
    order: order === 'asc' ? ('oldest-first' as const) : ('newest-first' as const),
    limit,
    cursor,
  }))

export const letterIds = z
  .array(
    text(64).refine((id) => parseId(id) !== undefined, { message: 'expected the id of a dead letter, like 3-1700-0' }),
  )
  .min(1)
  .max(MAX_PAGE)

/** @throws TLM_OPTIONS_INVALID with all problems, each with the name of its field */
export function parseFields<Schema extends z.ZodType>(schema: Schema, raw: unknown, what: string): z.output<Schema> {
  const parsed = schema.safeParse(raw)
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.') || what}: ${message}`)
  throw new TelemetryError('TLM_OPTIONS_INVALID', problems.join('; '))
}

type FilterFields = { [Field in keyof typeof filterFields]?: z.output<(typeof filterFields)[Field]> }

function toFilter({ correlation, from, to, ...same }: FilterFields): DeadLetterFilter {
  return { ...same, correlationId: correlation, fromMs: from, toMs: to }
}

/**
 * Microseconds since the Unix epoch as digits, an ISO 8601 time, or how long ago, such as `15m` or `2h`; in milliseconds.
 */
function instantMs() {
  const expected =
    'expected microseconds since 1970, a time such as 2026-01-31T12:00:00Z, or how long ago: 30s, 15m, 2h, 7d'
  return z.union([z.string(), z.number()]).transform((raw, context) => {
    const ago = /^(\d+)(s|m|h|d)$/.exec(String(raw))
    const ms = ago
      ? Date.now() -
        Number(ago[1]) * { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[ago[2] as 's' | 'm' | 'h' | 'd']
      : /^\d{1,16}$/.test(String(raw))
        ? Math.floor(Number(raw) / 1000)
        : Date.parse(String(raw))
    if (Number.isSafeInteger(ms)) return ms
    context.addIssue({ code: 'custom', message: expected })
    return z.NEVER
  })
}
