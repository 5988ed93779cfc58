/**
 * Program of a process that owns shard 0 and settles until it is killed: `owning-program.js DIRECTORY HOLDER`. The state
 * row `sum` holds the number of the last batch and the sum of all samples, and follows each settlement.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { openBatchStream } from '#src/embedded/embedded-stream'
import { checkEntry, LIMITS, samplesOf, seqOf } from './numbered-batches.js'

const [directory, holder] = process.argv.slice(2)
const stream = await openBatchStream({ directory, shards: 2 }, holder)

for (;;) {
  const shard = await stream.own(0, 400)
  if (shard === undefined) {
    await pause(20)
    continue
  }
  const renewing = setInterval(() => void shard.renew(), 100)
  process.send?.({ kind: 'owner', token: shard.token })
  const row = (await shard.loadState()).get('sum')
  const [lastSeq, sum] = row === undefined ? [0, 0] : new Float64Array(row.buffer)
  const result = await work(lastSeq, sum)
  clearInterval(renewing)
  process.send?.({ kind: result })

  async function work(last: number, total: number): Promise<string> {
    let [seq, samples] = [last, total]
    for (;;) {
      const entries = await shard!.lease(LIMITS, 50)
      if (entries.length === 0 && !(await shard!.renew())) return 'fenced'
      for (const entry of entries) {
        checkEntry(entry)
        if (seqOf(entry) !== seq + 1) throw new Error(`Batch ${seqOf(entry)} came after ${seq}.`)
        seq++
        samples += samplesOf(seq)
      }
      const state = new Map([['sum', new Uint8Array(Float64Array.of(seq, samples).buffer)]])
      const ack = entries.map(({ id }) => id)
      const { kind } = await shard!.settle({ ack, retry: [], deadLetter: [], state })
      if (kind === 'fenced') return 'fenced'
      process.send?.({ kind: 'settled', seq, samples })
    }
  }
}
