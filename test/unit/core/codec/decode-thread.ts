/** Decodes what it is told to in a thread with little memory, and tells what came of it. */
import { parentPort } from 'node:worker_threads'
import { BatchDecoder } from '#core/codec/batch-codec'
import { toPortableError } from '#core/errors/telemetry-error'

export interface DecodeAnswer {
  code: string | undefined
  class: unknown
  /** Bytes of array buffers that were added meanwhile. */
  bufferBytes: number
}

const decoder = new BatchDecoder()

parentPort?.on('message', (body: Uint8Array) => {
  const before = process.memoryUsage().arrayBuffers
  const answer: DecodeAnswer = { code: undefined, class: undefined, bufferBytes: 0 }
  try {
    decoder.decode(body)
  } catch (error) {
    const { code, details } = toPortableError(error)
    answer.code = code
    answer.class = details.class
  }
  answer.bufferBytes = process.memoryUsage().arrayBuffers - before
  parentPort?.postMessage(answer)
})
