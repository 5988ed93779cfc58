import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { openBatchProducer, openBatchStream } from '#src/embedded/embedded-stream'
import { temporaryDirectory } from '#test/support/temporary-directory'
import { batch, leaseAll, owned, settlement, store } from '../../../conformance/batch-stream-fixture.js'

test('the parts of a batch that are dead letters are kept as bodies of their own, and only they are', async () => {
  const options = { directory: await temporaryDirectory('dead-parts'), shards: 1 }
  const producer = await openBatchProducer(options)
  await store(producer, [batch(1)])
  const stream = await openBatchStream(options, 'holder')
  const shard = owned(await stream.own(0, 60_000))
  const [{ id, priority, correlationId }] = await leaseAll(shard)
  const deadLetter = [3, 7].map((row) => {
    const part = { correlationId: `${correlationId}#${row}`, samples: 1, firstTakenAtUs: row, body: Uint8Array.of(row) }
    return { id, priority, class: 'handler-error', message: `Sample ${row} of 10`, part }
  })
  assert.deepEqual(await shard.settle(settlement({ deadLetter })), { kind: 'settled' })
  await stream.close()
  await producer.close()
  const folder = join(options.directory, 'stream', 'bodies', '0')
  const names = await readdir(folder)
  const bodies = await Promise.all(names.map(async (name) => [...(await readFile(join(folder, name)))]))
  assert.deepEqual(bodies.sort(), [[3], [7]])
})
