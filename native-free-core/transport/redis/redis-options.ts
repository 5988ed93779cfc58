import { z } from 'zod'
import { TelemetryError } from '../../errors/telemetry-error.js'
import { DEFAULT_DEAD_LETTER_LIMITS, type DeadLetterLimits } from '../dead-letters.js'

const addressSchema = z.object({ host: z.string().min(1).max(255), port: z.int().min(1).max(65_535) })
/** More seeds than a cluster needs. */
const addressesSchema = z.array(addressSchema).min(1).max(64)

const deadLetterSchema = z.object({
  maxEntries: z.int().min(1),
  maxBytes: z.int().min(1),
  maxAgeMs: z.number().min(1),
})

const connectionSchema = z
  .object({
    ...addressSchema.shape,
    cluster: addressesSchema.optional(),
    sentinels: addressesSchema.optional(),
    sentinelName: z.string().min(1).max(128).optional(),
    sentinelPassword: z.string().min(1).max(512).optional(),
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
    replication: z.object({ replicas: z.int().min(1).max(16), timeoutMs: z.int().min(1).max(600_000) }).optional(),
    ephemeral: z.boolean().default(false),
  })
  .refine(({ cluster, sentinels }) => !(cluster && sentinels), {
    path: ['sentinels'],
    message: 'a cluster has no sentinels: give one of the two',
  })
  .refine(({ sentinels, sentinelName }) => !sentinels || sentinelName !== undefined, {
    path: ['sentinelName'],
    message: 'is needed with sentinels: the name that they know the primary by',
  })
  .refine(({ cluster, db }) => !cluster || db === 0, {
    path: ['db'],
    message: 'must be 0: a cluster has no other database',
  })

const streamSchema = z.intersection(
  connectionSchema,
  z.object({ shards: z.int().min(1).max(64), deadLetters: deadLetterSchema.default(DEFAULT_DEAD_LETTER_LIMITS) }),
)

export interface RedisAddress {
  host: string
  port: number
}

/** Where a Redis is, and the name that its keys begin with. */
export interface RedisOptions extends RedisAddress {
  /** Some nodes of a Redis Cluster, instead of host and port. A node at host and port is recognised, too. */
  cluster?: readonly RedisAddress[] | undefined
  /** Sentinels that know where the primary is, instead of host and port. */
  sentinels?: readonly RedisAddress[] | undefined
  /** What the sentinels call it. */
  sentinelName?: string | undefined
  sentinelPassword?: string | undefined
  username?: string | undefined
  password?: string | undefined
  db: number
  /** The server's certificate is checked; `NODE_EXTRA_CA_CERTS` names a file with an authority of your own. */
  tls: boolean
  queueName: string
  /** How long Redis may leave commands without any reply before the connection is given up. Milliseconds. */
  commandTimeoutMs: number
  /**
   * An append counts as stored only when so many replicas have it, too, within the time; absent: when the primary has
   * it.
   */
  replication?: { replicas: number; timeoutMs: number } | undefined
  /** The operator accepts that Redis keeps nothing over a restart: the doctor does not ask for an append-only file. */
  ephemeral?: boolean | undefined
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
