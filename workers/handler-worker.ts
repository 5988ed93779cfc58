/**
 * Entry of a handler thread: Piscina calls `run` and `ingest`. What a thread needs is made at its start from `workerData`.
 *
 * A user's handler that cannot be loaded makes every run reject with TLM_OPTIONS_INVALID in its message: entries are then
 * neither settled nor blamed for what an operator has to mend.
 */
import { workerData } from 'node:worker_threads'
import { BatchDecoder } from '#core/codec/batch-codec'
import { TelemetryError, toPortableError } from '#core/errors/telemetry-error'
import type {
  HandlerRequest,
  HandlerWorkerData,
  IngestReply,
  IngestRequest,
  PackedReply,
} from '#core/protocol/handler-messages'
import { packFindings } from '#core/protocol/packed-findings'
import { systemClock } from '#core/time/clock'
import { HandlerSet } from './handlers/handler-set.js'
import { ingestTasks } from './ingest-tasks.js'
import { ShardRunner } from './shard-runner.js'
import { transferring } from './transferring.js'
import { UserHandlers } from './user-handlers/user-handlers.js'

let runner: Promise<ShardRunner> | undefined

/** See {@link HandlerRequest}. Runs of one shard come one after another, from whichever thread. */
export async function run(request: HandlerRequest): Promise<PackedReply> {
  runner ??= createRunner(workerData as HandlerWorkerData)
  const reply = (await runner).run(request)
  const findings = packFindings(reply.findings)
  const dead = reply.results.flatMap((result) => result.dead ?? [])
  const buffers = ownBuffersOf([...reply.chunks, ...dead])
  if (findings.count > 0) buffers.push(findings.json.buffer as ArrayBuffer)
  return transferring({ ...reply, findings }, buffers)
}

/** See {@link IngestRequest}. A task without a time gets that of this moment. */
export function ingest(request: IngestRequest): IngestReply {
  const reply = ingestTasks(request, systemClock.nowUs())
  return transferring(reply, ownBuffersOf(reply.batches))
}

async function createRunner(data: HandlerWorkerData): Promise<ShardRunner> {
  try {
    return await loadRunner(data)
  } catch (error) {
    // Of an error only its text leaves the thread.
    const { code, message } = toPortableError(error)
    throw new TelemetryError(code, `${code}: ${message}`, {}, error)
  }
}

async function loadRunner({ handlers }: HandlerWorkerData): Promise<ShardRunner> {
  const users = await UserHandlers.load(handlers.filter(({ moduleUrl }) => moduleUrl !== undefined))
  const builtIn = new HandlerSet(handlers.filter(({ moduleUrl }) => moduleUrl === undefined))
  const decoder = new BatchDecoder()
  return new ShardRunner(builtIn, users, (body) => decoder.decode(body))
}

/** Buffers that hold one body and nothing else: only those may leave the thread. */
function ownBuffersOf(items: readonly { body: Uint8Array }[]): ArrayBuffer[] {
  const whole = items.filter(({ body }) => body.byteLength === body.buffer.byteLength)
  return whole.map(({ body }) => body.buffer as ArrayBuffer)
}
