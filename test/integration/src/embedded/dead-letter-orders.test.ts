import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { openBatchProducer, openBatchStream, openDeadLetterBox } from '#src/embedded/embedded-stream'
import { batch, owned, seqs, store } from '#test/conformance/batch-stream-fixture'
import { allLetters, die, leaseOne } from '#test/conformance/dead-letters/dead-letter-fixture'
import { repositoryFile } from '#test/support/repository'
import { temporaryDirectory } from '#test/support/temporary-directory'

const root = await temporaryDirectory('dead-letter-orders')

/** A store in which batches 1 .. 3 of shard 0 have died, owned by nobody. */
async function storeWithLetters(): Promise<{ directory: string; options: { directory: string; shards: number } }> {
  const directory = join(root, randomUUID())
  const options = { directory, shards: 2 }
  const producer = await openBatchProducer(options)
  const stream = await openBatchStream(options, 'first')
  const shard = owned(await stream.own(0, 60_000))
  for (let seq = 1; seq <= 3; seq++) {
    await store(producer, [batch(seq)])
    await die(shard, await leaseOne(shard))
  }
  await shard.release()
  await producer.close()
  await stream.close()
  return { directory, options }
}

test('an owner in another process carries out orders, also one that was killed meanwhile: its lease ends', async () => {
  const { directory, options } = await storeWithLetters()
  const program = repositoryFile('dist/test/integration/src/embedded/owning-program.js')
  const child = fork(program, [directory, 'other'])
  await once(child, 'message')
  const box = await openDeadLetterBox(options)
  const [one, two, three] = await allLetters(box)
  assert.equal(await box.purge([one.id]), 1)
  child.kill('SIGKILL')
  await once(child, 'exit')
  const startMs = performance.now()
  assert.deepEqual(await box.replay([two.id, three.id], 3), ['replayed', 'replayed'])
  assert.ok(performance.now() - startMs < 10_000, 'its lease of 400 ms was not noticed to have ended')
  assert.deepEqual(await allLetters(box), [])
  const stream = await openBatchStream(options, 'next')
  const shard = owned(await stream.own(0, 60_000))
  assert.deepEqual(seqs(await shard.lease({ maxEntries: 10, maxBytes: 1e6 }, 1000)), [2, 3])
  await stream.close()
})

test('orders leave nothing behind, and bodies go with their letters', async () => {
  const { directory, options } = await storeWithLetters()
  const bodies = () => readdirSync(join(directory, 'stream', 'bodies', '0')).length
  assert.equal(bodies(), 3)
  const stream = await openBatchStream(options, 'owner')
  const shard = owned(await stream.own(0, 60_000))
  const box = await openDeadLetterBox(options)
  const [one, two] = await allLetters(box)
  assert.equal(await box.purge([one.id]), 1)
  assert.equal(bodies(), 2)
  await box.replay([two.id], 3)
  const entry = await leaseOne(shard)
  await shard.settle({ ack: [entry.id], retry: [], deadLetter: [], state: new Map() })
  assert.equal(bodies(), 1)
  assert.deepEqual(readdirSync(join(directory, 'stream', 'control', '0', 'orders')), [])
  await stream.close()
})

test('an owner that has lost its shard carries out nothing: the next one does', async () => {
  const { options } = await storeWithLetters()
  const stream = await openBatchStream(options, 'owner')
  const shard = owned(await stream.own(0, 1))
  const nextStream = await openBatchStream(options, 'next')
  let next = await nextStream.own(0, 60_000)
  while (next === undefined) next = await nextStream.own(0, 60_000)
  const box = await openDeadLetterBox(options)
  const ids = (await allLetters(box)).map(({ id }) => id)
  assert.deepEqual(await box.replay(ids, 3), ['replayed', 'replayed', 'replayed'])
  assert.deepEqual(await shard.lease({ maxEntries: 10, maxBytes: 1e6 }, 0), [])
  assert.deepEqual(seqs(await next.lease({ maxEntries: 10, maxBytes: 1e6 }, 1000)), [1, 2, 3])
  await stream.close()
  await nextStream.close()
})
