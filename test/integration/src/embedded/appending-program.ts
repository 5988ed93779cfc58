/**
 * Program of a process that appends without end until it is killed: `appending-program.js DIRECTORY JOURNAL`. The journal
 * is a file outside the store: the number of each batch that was reported stored goes there, 8 bytes each.
 */
import { openSync, readFileSync, writeSync } from 'node:fs'
import { openBatchProducer } from '#src/embedded/embedded-stream'
import { numberedBatch } from './numbered-batches.js'

const [directory, journalPath] = process.argv.slice(2)
const journal = openSync(journalPath, 'a')
const written = readFileSync(journalPath)
const producer = await openBatchProducer({ directory, shards: 2, segmentBytes: 200_000 })
let next = written.length < 8 ? 1 : written.readDoubleLE((written.length & ~7) - 8) + 1

process.send?.('started')
for (;;) {
  const batches = Array.from({ length: 1 + (next % 5) }, (_, i) => numberedBatch(next + i))
  for (const [i, { kind }] of (await producer.append(batches)).entries()) {
    // Batches that the killed process before had stored unseen are duplicates.
    if (kind !== 'stored' && kind !== 'duplicate') throw new Error(`Batch ${batches[i].seq} is ${kind}.`)
    writeSync(journal, Buffer.from(Float64Array.of(batches[i].seq).buffer))
  }
  next += batches.length
}
