/**
 * Program of a process that appends without end until it is killed: `appending-program.js DIRECTORY JOURNAL [once]`. The
 * journal is a file outside the store: the number of each batch that was reported stored goes there, 8 bytes each.
 *
 * With `once` it ends at the first batch that was not stored, and prints it with its outcome.
 */
import { openSync, readFileSync, writeSync } from 'node:fs'
import { openBatchProducer } from '#src/embedded/embedded-stream'
import { numberedBatch } from './numbered-batches.js'

const [directory, journalPath, once] = process.argv.slice(2)
const journal = openSync(journalPath, 'a')
const written = readFileSync(journalPath)
const producer = await openBatchProducer({ directory, shards: 2, segmentBytes: 200_000 })
let next = written.length < 8 ? 1 : written.readDoubleLE((written.length & ~7) - 8) + 1
let isEnded = false

process.send?.('started')
while (!isEnded) {
  const batches = Array.from({ length: 1 + (next % 5) }, (_, i) => numberedBatch(next + i))
  for (const [i, outcome] of (await producer.append(batches)).entries()) {
    const { seq } = batches[i]
    // Batches that the killed process before had stored unseen are duplicates.
    const isIn = outcome.kind === 'stored' || outcome.kind === 'duplicate'
    if (!isIn && once === undefined) throw new Error(`Batch ${seq}: ${JSON.stringify(outcome)}`)
    if (!isIn && !isEnded) process.stdout.write(JSON.stringify([{ seq, outcome }]))
    isEnded ||= !isIn
    if (isIn) writeSync(journal, Buffer.from(Float64Array.of(seq).buffer))
  }
  next += batches.length
}
