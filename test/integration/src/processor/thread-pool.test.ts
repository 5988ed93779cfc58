import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { pathToFileURL } from 'node:url'
import type { HandlerSpec } from '#core/protocol/handler-messages'
import { systemClock } from '#core/time/clock'
import { createLogger } from '#src/host/logger'
import { ThreadPool } from '#src/processor/dispatch/handler-pool'
import { encodeBatch, requestOf } from '#test/support/encoded-batches'
import { repositoryFile } from '#test/support/repository'

const POISON = 666
const log = createLogger({ name: 'test', level: 'silent' })
const pools: ThreadPool[] = []
after(() => Promise.all(pools.map((pool) => pool.close())))

function killing(how: string): HandlerSpec {
  const moduleUrl = pathToFileURL(repositoryFile('test/fixtures/handlers/killing.mjs')).href
  return { type: 'test.killing', options: { poison: POISON, how }, moduleUrl }
}

function poolOf(spec: HandlerSpec, threads = 1, runDeadlineMs = 30_000): ThreadPool {
  const options = { threads, maxHeapBytes: 2 ** 26, runDeadlineMs, workerData: { handlers: [spec] } }
  const pool = new ThreadPool(options, systemClock, log)
  pools.push(pool)
  return pool
}

function batchOf(value: number) {
  return requestOf([encodeBatch([{ value, takenAtUs: 1 }])], ['test.1.0.1'])
}

describe('the pool of handler threads', () => {
  for (const [how, message, kind] of [
    ['memory', /memory/, 'oom'],
    ['exit', /exit/, 'crash-loop'],
    ['loop', /longer than 1000 ms/, 'timeout'],
  ] as const) {
    it(`rejects a run that ends its thread by ${how}, and runs the next in a new one`, async () => {
      const pool = poolOf(killing(how), 1, how === 'loop' ? 1000 : 30_000)
      await pool.check()
      const [dead, next] = await Promise.allSettled([pool.run(batchOf(POISON)), pool.run(batchOf(1))])
      assert.equal(dead.status, 'rejected')
      assert.equal(dead.reason.code, 'TLM_HANDLER_FAILED')
      assert.match(dead.reason.message, message)
      assert.deepEqual(dead.reason.details, { class: kind, entry: 0, handler: 'test.killing' })
      assert.equal(next.status, 'fulfilled')
      assert.equal(next.value.results[0].samples, 1)
      assert.equal(pool.counters.deaths + pool.counters.overdue, 1)
    })
  }

  it('does not count the wait for a thread against a run', async () => {
    const pool = poolOf(killing('loop'), 1, 600)
    await pool.check()
    const outcomes = await Promise.allSettled([
      pool.run(batchOf(POISON)),
      pool.run(batchOf(POISON)),
      pool.run(batchOf(1)),
    ])
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['rejected', 'rejected', 'fulfilled'],
    )
  })

  it('says before the first batch that a handler cannot be loaded', async () => {
    const moduleUrl = pathToFileURL(repositoryFile('test/fixtures/handlers/none.mjs')).href
    const pool = poolOf({ type: 'test.none', options: {}, moduleUrl })
    await assert.rejects(pool.check(), { code: 'TLM_OPTIONS_INVALID', message: /test\.none.*none\.mjs/s })
  })

  it('rejects what waits and what runs when it is closed', async () => {
    const pool = poolOf(killing('loop'))
    await pool.check()
    const runs = [pool.run(batchOf(POISON)), pool.run(batchOf(1))]
    const settled = Promise.allSettled(runs)
    await pool.close()
    for (const { status } of await settled) assert.equal(status, 'rejected')
    await assert.rejects(pool.run(batchOf(1)), { code: 'TLM_HANDLER_FAILED' })
    const [ran] = await settled
    assert.ok(ran.status === 'rejected')
    assert.deepEqual(ran.reason.details, {}, 'no handler is blamed')
  })
})
