import { Worker } from 'node:worker_threads'
import { TelemetryError } from '#core/errors/telemetry-error'
import type { Inspection, InspectRequest } from '#core/protocol/inspect-messages'

const DEADLINE_MS = 5000
/** Old generation of the thread: a body that needs more ends the thread, not the process. MiB. */
const MAX_HEAP_MB = 128
/** Threads at the same time. */
const MAX_RUNNING = 4

let running = 0

/**
 * Decodes a dead letter's body in a thread of its own, which ends with it. Takes some 30 ms.
 *
 * @param body is transferred: gone from the caller
 * @throws TLM_BATCH_UNREADABLE the thread died of it, or four others are under way
 */
export async function inspectBody(body: Uint8Array, maxSamples: number): Promise<Inspection> {
  if (running >= MAX_RUNNING) {
    const message = `${MAX_RUNNING} bodies are being looked into. Ask again in a moment.`
    throw new TelemetryError('TLM_BATCH_UNREADABLE', message)
  }
  running++
  try {
    return await runWorker({ body, maxSamples })
  } finally {
    running--
  }
}

function runWorker(request: InspectRequest): Promise<Inspection> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.resolve('#workers/inspect-worker')), {
      workerData: request,
      transferList: request.body.byteLength > 0 ? [request.body.buffer as ArrayBuffer] : [],
      resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB },
    })
    const fail = (why: string) => {
      reject(new TelemetryError('TLM_BATCH_UNREADABLE', `The body could not be looked into: ${why}.`))
    }
    const deadline = setTimeout(() => {
      fail(`it took longer than ${DEADLINE_MS} ms`)
      void worker.terminate()
    }, DEADLINE_MS)
    worker.once('message', resolve)
    worker.once('error', (error) => fail(error.message))
    worker.once('exit', (code) => {
      clearTimeout(deadline)
      fail(`its thread ended with ${code}`) // of no effect once the answer is there
    })
  })
}
