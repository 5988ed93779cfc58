import { parentPort, workerData } from 'node:worker_threads'
import { MAX_KNOTS } from '#core/time/wall-mapping'
import { WallWriter } from '#core/time/wall-memory'

export interface MappingThreadData {
  memory: SharedArrayBuffer
  rounds: number
  baseUs: number
}

const { memory, rounds, baseUs } = workerData as MappingThreadData
const writer = new WallWriter(memory)
for (let round = 1; round <= rounds; round++) {
  // All corners of one mapping say the same: one that is read half old and half new is seen at once.
  const count = 1 + (round % MAX_KNOTS)
  writer.write(Array.from({ length: count }, (_, knot) => ({ atUs: knot * 1000, offsetUs: baseUs + round })))
}
parentPort!.postMessage('written')
