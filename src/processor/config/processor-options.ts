/** The processor's options: what a file, the environment and flags may say, and what they become. */
import { availableParallelism, hostname } from 'node:os'
import { isAbsolute, join, resolve as resolvePath } from 'node:path'
import { pathToFileURL } from 'node:url'
import { z } from 'zod'
import { HANDLER_TYPES } from '#core/model/finding'
import { byteSize, durationMs, integer, oneOf, text } from '#core/options/fields'
import type { PressureLimits } from '#core/policy/pressure'
import type { DeadLetterLimits } from '#core/transport/dead-letters'
import { isLoopback } from '../../host/http-access.js'
import { type ProgramSpec, readProgramOptions } from '../../host/program-options.js'
import {
  chooseStore,
  httpSchemaWithoutPort,
  logSchema,
  redisSchema,
  requireTokenBeyondLoopback,
  STORE_ENV,
  STORE_FLAGS,
  type Store,
  storeSchema,
} from '../../host/store-options.js'
import { deadLetterSchema, limitsPerShard } from './dead-letter-options.js'

/** Taken when no port is asked for; when it is in use, the next free one is. */
export const DEFAULT_PROCESSOR_PORT = 9092

const handlerSchema = z.looseObject({
  type: text(64),
  priority: oneOf('high', 'normal', 'medium', 'low').default('normal'),
  /** A module with a user's handler, relative to the working directory. */
  module: text(4096).optional(),
})

const processorSchema = z.strictObject({
  version: integer(1, 1).default(1),
  redis: redisSchema,
  store: storeSchema,
  worker_pool: z
    .strictObject({
      num_workers: integer(1, 64).optional(),
      /** Entries leased and not yet settled, over all shards. */
      max_queue_size: integer(1, 1_000_000).default(10_000),
      max_heap: byteSize(2 ** 25, 2 ** 34).default(2 ** 28),
      /** A run of the handlers takes milliseconds; one that takes this long does not end. */
      run_deadline_ms: durationMs(100, 3_600_000).default(30_000),
    })
    .prefault({}),
  handlers: z.array(handlerSchema).default(HANDLER_TYPES.map((type) => ({ type, priority: 'normal' as const }))),
  checkpoint: z
    .strictObject({ interval_ms: durationMs(10, 60_000).default(1000), max_entries: integer(1, 100_000).default(2000) })
    .prefault({}),
  /** Backlog at which hubs are told that the pressure is red. */
  backpressure: z
    .strictObject({
      max_bytes: byteSize(2 ** 16, 2 ** 42).default(2 ** 28),
      max_head_age_ms: durationMs(1000, 7 * 86_400_000).default(60_000),
    })
    .prefault({}),
  lease_ms: durationMs(200, 600_000).default(10_000),
  max_retries: integer(0, 1000).default(3),
  dead_letters: deadLetterSchema,
  sqlite: z.strictObject({ path: text(4096).optional() }).prefault({}),
  http: httpSchemaWithoutPort,
  log: logSchema,
})

const PROCESSOR_SPEC: ProgramSpec & { schema: typeof processorSchema } = {
  name: 'processor',
  summary: 'Takes stored batches, runs the telemetry.* handlers over them and writes findings.',
  schema: processorSchema,
  subcommands: [
    ['dead-letters', 'what nobody could process: show, replay, purge'],
    ['doctor', 'what is wrong with the store'],
    ['explain ID', 'where one batch is'],
  ],
  flags: STORE_FLAGS,
  env: [
    ...STORE_ENV,
    { name: 'NUM_WORKERS', path: ['worker_pool', 'num_workers'] },
    { name: 'PROCESSOR_PORT', path: ['http', 'port'] },
  ],
  iniAliases: {},
}

export interface HandlerConfig {
  type: string
  priority: 'high' | 'normal' | 'medium' | 'low'
  moduleUrl?: string
  /** Unchecked: the handler's own reader checks them. */
  options: Readonly<Record<string, unknown>>
}

export interface ProcessorSettings {
  /** Unique name of this process among all processors. */
  holder: string
  store: Store
  threads: number
  maxInFlight: number
  maxHeapBytes: number
  runDeadlineMs: number
  handlers: readonly HandlerConfig[]
  checkpoint: { intervalMs: number; maxEntries: number }
  pressure: PressureLimits
  leaseMs: number
  maxRetries: number
  /** Per shard. */
  deadLetters: DeadLetterLimits
  maxReplays: number
  sqlitePath: string
  /** Without a port: the default one, or when that is in use the next that is free. */
  http: { host: string; port?: number | undefined; token?: string | undefined }
  log: z.output<typeof logSchema>
}

/** @throws TLM_OPTIONS_INVALID */
export function readProcessorOptions(argv: readonly string[], env: Readonly<Record<string, string | undefined>>) {
  const command = readProgramOptions(PROCESSOR_SPEC, argv, env)
  return command.kind === 'print' ? command : { ...command, options: resolve(command.options) }
}

function resolve(raw: z.output<typeof processorSchema>): ProcessorSettings {
  requireTokenBeyondLoopback(raw.http, isLoopback(raw.http.host))
  return {
    holder: `${hostname()}-${process.pid}-${Date.now().toString(36)}`,
    store: chooseStore(raw.redis, raw.store),
    threads: raw.worker_pool.num_workers ?? Math.max(1, availableParallelism() - 1),
    maxInFlight: raw.worker_pool.max_queue_size,
    maxHeapBytes: raw.worker_pool.max_heap,
    runDeadlineMs: raw.worker_pool.run_deadline_ms,
    handlers: raw.handlers.map(({ type, priority, module, ...options }) => ({
      type,
      priority,
      options,
      ...(module !== undefined && { moduleUrl: moduleUrl(module) }),
    })),
    checkpoint: { intervalMs: raw.checkpoint.interval_ms, maxEntries: raw.checkpoint.max_entries },
    pressure: { maxBytes: raw.backpressure.max_bytes, maxHeadAgeMs: raw.backpressure.max_head_age_ms },
    leaseMs: raw.lease_ms,
    maxRetries: raw.max_retries,
    deadLetters: limitsPerShard(raw.dead_letters, raw.store.shards),
    maxReplays: raw.dead_letters.max_replays,
    sqlitePath: raw.sqlite.path ?? join(raw.store.directory, 'findings.db'),
    http: raw.http,
    log: raw.log,
  }
}

function moduleUrl(path: string): string {
  return pathToFileURL(isAbsolute(path) ? path : resolvePath(path)).href
}
