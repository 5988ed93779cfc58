import { z } from 'zod'
import { TelemetryError } from '../../errors/telemetry-error.js'
import { DEFAULT_DEAD_LETTER_LIMITS, type DeadLetterLimits } from '../dead-letters.js'

const connectionSchema = z.object({
  host: z.string().min(1).max(255),
  port: z.int().min(1).max(65_535),
  username: z.string().min(1).max(128).optional(),
  password: z.string().min(1).max(512).optional(),
  db: z.int().min(0).max(1_000_000).default(0),
  tls: z.boolean().default(false),
  // Braces would move the hash tag of the keys, and with it their slot in a Redis Cluster.
  queueName: z
    .string()
    .min(1)
    .max(128)
    .regex(/^[^{}]+$/, 'must have no braces'),
  commandTimeoutMs: z.int().min(1).max(600_000).default(2000),
})

const deadLetterSchema = z.object({
  maxEntries: z.int().min(1),
  maxBytes: z.int().min(1),
  maxAgeMs: z.number().min(1),
})

const streamSchema = connectionSchema.extend({
  shards: z.int().min(1).max(64),
  deadLetters: deadLetterSchema.default(DEFAULT_DEAD_LETTER_LIMITS),
})

/** Where a Redis is, and the name that its keys begin with. */
export interface RedisOptions {
  host: string
  port: number
  username?: string | undefined
  password?: string | undefined
  db: number
  /** The server's certificate is checked; `NODE_EXTRA_CA_CERTS` names a file with an authority of your own. */
  tls: boolean
  queueName: string
  /** How long Redis may leave commands without any reply before the connection is given up. Milliseconds. */
  commandTimeoutMs: number
}

export interface RedisStreamOptions extends RedisOptions {
  /** 1..64, the same for everybody who opens the queue. */
  shards: number
  /** Bounds of each shard's dead letters. */
  deadLetters?: DeadLetterLimits | undefined
}

/** @throws TLM_OPTIONS_INVALID naming every field that is wrong, never its value */
export function readRedisOptions(raw: unknown): RedisOptions {
  return check(connectionSchema, raw)
}

/** @throws TLM_OPTIONS_INVALID naming every field that is wrong, never its value */
export function readRedisStreamOptions(raw: unknown): RedisStreamOptions & { deadLetters: DeadLetterLimits } {
  return check(streamSchema, raw)
}

function check<Schema extends z.ZodType>(schema: Schema, raw: unknown): z.output<Schema> {
  const parsed = schema.safeParse(raw)
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'options'}: ${message}`)
  throw new TelemetryError('TLM_OPTIONS_INVALID', `Options of the Redis connection. ${problems.join('. ')}`)
}
