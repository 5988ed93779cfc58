/** Program of the consuming thread of ring-peers.bench.ts: takes what the contender sends, counts and sums it. */
import { parentPort, workerData } from 'node:worker_threads'
import { RingBuffer } from 'ringbuf.js'
import { RingConsumer } from '#core/ring/ring-consumer'

export type PeerKind = 'ring' | 'ringbuf.js' | 'postMessage'

export interface PeerThreadData {
  kind: PeerKind
  /** Memory of the queue under test. */
  memory: SharedArrayBuffer
  /** Float64: [0] samples seen in this round, [1] their checksum. */
  seen: SharedArrayBuffer
  /** Int32: [0] rounds finished, notified; [1] messages taken in this round. */
  signals: SharedArrayBuffer
}

/** Records of 32 bytes as ringbuf.js and postMessage carry them: value, takenAtUs, then series, sequence, meta, spare. */
export const RECORD_FLOATS = 4
export const RECORD_WORDS = 8
/** Most records taken at once, by every contender. */
export const TAKE = 256

const { kind, memory, seen, signals } = workerData as PeerThreadData
const totals = new Float64Array(seen)
const words = new Int32Array(signals)
const port = parentPort!

if (kind === 'ring') port.on('message', takeFromRing())
else if (kind === 'ringbuf.js') port.on('message', takeFromRingbuf())
else port.on('message', takeMessages())
port.postMessage('ready')

function finishRound(count: number, checksum: number): void {
  totals[0] = count
  totals[1] = checksum
  Atomics.add(words, 0, 1) // ORDER bench: totals before the round's number; partner finishedRound in ring-peers.bench
  Atomics.notify(words, 0)
}

function takeFromRing(): (samples: number) => void {
  const consumer = new RingConsumer(memory)
  return (samples) => {
    let count = 0
    let checksum = 0
    while (count < samples) {
      const taken = consumer.take(TAKE)
      for (let i = 0; i < taken; i++) checksum += consumer.valueAt(i) + consumer.sequenceAt(i)
      consumer.release(taken)
      count += taken
      if (taken < TAKE && count < samples) consumer.wait(1000, TAKE)
    }
    finishRound(count, checksum)
  }
}

function takeFromRingbuf(): (samples: number) => void {
  const queue = new RingBuffer(memory, Float64Array)
  const floats = new Float64Array(TAKE * RECORD_FLOATS)
  const fields = new Uint32Array(floats.buffer)
  return (samples) => {
    let count = 0
    let checksum = 0
    while (count < samples) {
      const taken = queue.pop(floats, floats.length) / RECORD_FLOATS
      for (let row = 0; row < taken; row++) checksum += floats[row * RECORD_FLOATS] + fields[row * RECORD_WORDS + 5]
      count += taken
    }
    finishRound(count, checksum)
  }
}

function takeMessages(): (message: number | Float64Array) => void {
  let wanted = 0
  let count = 0
  let checksum = 0
  return (message) => {
    if (typeof message === 'number') {
      wanted = message
      count = 0
      checksum = 0
      return
    }
    const fields = new Uint32Array(message.buffer, message.byteOffset, message.length * 2)
    const taken = message.length / RECORD_FLOATS
    for (let row = 0; row < taken; row++) checksum += message[row * RECORD_FLOATS] + fields[row * RECORD_WORDS + 5]
    count += taken
    Atomics.add(words, 1, 1) // ORDER bench: lets the sender bound what is in flight
    if (count === wanted) finishRound(count, checksum)
  }
}
