import { randomUUID } from 'node:crypto'
import {
  accessSync,
  closeSync,
  constants,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { TelemetryError } from '#core/errors/telemetry-error'
import { DEFAULT_DEAD_LETTER_LIMITS, type DeadLetterLimits } from '#core/transport/dead-letters'
import { isMissing, storeError } from './store-failure.js'

/** Options of the embedded store: plain data, so that any thread can be told. */
export interface EmbeddedOptions {
  /** On a local disk; made when it is missing. The store keeps to a subdirectory `stream`. */
  directory: string
  /** 1..64; fixed when the store is made. */
  shards: number
  /** Bound of the batches on disk, 1 MiB or more: appends are refused beyond it. Default 2 GiB. */
  maxLogBytes?: number
  /** Size at which a log file is ended and the next begun, 4 KiB or more. Default 4 MiB. */
  segmentBytes?: number
  /** Bounds of each shard's dead letters. */
  deadLetters?: DeadLetterLimits | undefined
}

const DATA_VERSION = 1
const DEFAULT_LOG_BYTES = 2 * 2 ** 30
const DEFAULT_SEGMENT_BYTES = 4 * 2 ** 20
const MAX_SHARDS = 64

/** A store's place and sizes, after the checks. */
export interface StoreDirectory extends Required<EmbeddedOptions> {
  deadLetters: DeadLetterLimits
  /** Where the store's own files are. */
  root: string
}

/** Where a shard's files are. */
export interface ShardFolders {
  /** Segments. */
  log: string
  control: string
  bodies: string
}

export function shardFolders(store: StoreDirectory, shard: number): ShardFolders {
  const folder = (name: string) => join(store.root, name, String(shard))
  return { log: shardFolder(store, shard), control: folder('control'), bodies: folder('bodies') }
}

/** Folder of a shard's segments. */
export function shardFolder({ root }: StoreDirectory, shard: number): string {
  return join(root, 'log', String(shard))
}

/**
 * Finds or makes the store. Synchronous and without a lock: any number of threads and processes may open at once.
 *
 * @throws TLM_OPTIONS_INVALID an option is missing or out of range
 * @throws TLM_STREAM_MISCONFIGURED the directory cannot be used, or holds a store of another version or shard count
 * @throws TLM_STREAM_UNAVAILABLE the disk failed or is full
 */
export function openStoreDirectory(options: unknown): StoreDirectory {
  const { directory, ...sizes } = checkOptions(options)
  const store: StoreDirectory = { directory, ...sizes, root: join(directory, 'stream') }
  try {
    for (let shard = 0; shard < store.shards; shard++) mkdirSync(shardFolder(store, shard), { recursive: true })
    accessSync(store.root, constants.R_OK | constants.W_OK | constants.X_OK)
    checkFormat(join(store.root, 'store.json'), store)
  } catch (error) {
    throw storeError(error, directory)
  }
  return store
}

function checkOptions(options: unknown): Omit<StoreDirectory, 'root'> {
  const given = (options ?? {}) as Partial<EmbeddedOptions>
  const { directory, shards, maxLogBytes = DEFAULT_LOG_BYTES, segmentBytes = DEFAULT_SEGMENT_BYTES } = given
  const { deadLetters = DEFAULT_DEAD_LETTER_LIMITS } = given
  if (typeof directory !== 'string' || directory === '') throw invalid('directory must be a path', directory)
  if (!isWithin(shards, 1, MAX_SHARDS)) throw invalid(`shards must be 1..${MAX_SHARDS}`, shards)
  if (!isWithin(maxLogBytes, 2 ** 20, 2 ** 50)) throw invalid('maxLogBytes must be 1 MiB or more', maxLogBytes)
  if (!isWithin(segmentBytes, 4096, 2 ** 30)) throw invalid('segmentBytes must be 4 KiB to 1 GiB', segmentBytes)
  const { maxEntries, maxBytes, maxAgeMs } = deadLetters
  if (!(maxEntries >= 1 && maxBytes >= 1 && maxAgeMs >= 1)) {
    throw invalid('the bounds of the dead letters must be 1 or more', JSON.stringify(deadLetters))
  }
  return { directory: resolve(directory), shards, maxLogBytes, segmentBytes, deadLetters }
}

function isWithin(value: unknown, least: number, most: number): value is number {
  return Number.isInteger(value) && (value as number) >= least && (value as number) <= most
}

function invalid(problem: string, value: unknown): TelemetryError {
  return new TelemetryError('TLM_OPTIONS_INVALID', `Embedded store: ${problem}, got ${String(value)}.`, { value })
}

/** The first to open writes what the store is; all others compare. */
function checkFormat(path: string, { directory, shards }: StoreDirectory): void {
  const found = readFormat(path) ?? createFormat(path, shards)
  if (found.version === DATA_VERSION && found.shards === shards) return
  const details = { directory, shards, found }
  if (typeof found.version !== 'number' || typeof found.shards !== 'number') {
    throw misconfigured(`${path} is damaged. Fix: move the directory away and start with an empty one.`, details)
  }
  const [has, wants] = [
    `version ${found.version} with ${found.shards} shards`,
    `version ${DATA_VERSION} with ${shards}`,
  ]
  const fix = 'Fix: set the same number of shards everywhere, or name another directory'
  throw misconfigured(`The store in ${directory} is of ${has}, not of ${wants}. ${fix}.`, details)
}

interface StoreFormat {
  version?: unknown
  shards?: unknown
}

function readFormat(path: string): StoreFormat | undefined {
  try {
    const content: unknown = JSON.parse(readFileSync(path, 'utf8'))
    return typeof content === 'object' && content !== null ? content : {}
  } catch (error) {
    if (isMissing(error)) return undefined
    if (error instanceof SyntaxError) return {}
    throw error
  }
}

/** Whole or not at all, and once: what another opener wrote first is what counts. */
function createFormat(path: string, shards: number): StoreFormat {
  const draft = `${path}.${randomUUID()}`
  try {
    const fd = openSync(draft, 'wx')
    try {
      writeFileSync(fd, `${JSON.stringify({ version: DATA_VERSION, shards })}\n`)
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    linkSync(draft, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    rmSync(draft, { force: true })
  }
  return readFormat(path) ?? {}
}

function misconfigured(message: string, details: Record<string, unknown>): TelemetryError {
  return new TelemetryError('TLM_STREAM_MISCONFIGURED', message, details)
}
