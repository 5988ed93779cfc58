import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { streamLocator } from '#src/host/stream-locator'
import { readBack } from '#test/support/read-back'
import { startRedis } from '#test/support/redis-server'
import { temporaryDirectory } from '#test/support/temporary-directory'
import { runHub } from '#test/support/test-program'

const directory = await temporaryDirectory('hub-sigkill')
const SAMPLES_PER_SECOND = 1000
/** What a busy machine may add between reading and writing. */
const SLACK_MS = 600

describe('a hub that is killed with SIGKILL while Redis is away', async () => {
  const redis = await startRedis()
  after(() => redis.stop())

  async function hubOn(name: string, yaml: string) {
    const path = join(directory, `${name}.yaml`)
    await writeFile(path, `gateway: { id: ${name} }\nredis: { queue_name: ${name} }\n${yaml}`)
    const env = { REDIS_HOST: '127.0.0.1', REDIS_PORT: String(redis.port), SPOOL_DIR: join(directory, 'spool') }
    return runHub(['--config', path], env)
  }

  /** Kills a hub once so many samples are in its spool, and so many in its ring; has the next run deliver. */
  async function loseRing(name: string, batchAgeMs: number, spooled: number, inRing: number) {
    await redis.kill()
    const spool = `spool: { batch_age_ms: ${batchAgeMs}, fsync_ms: 60000 }\n`
    const sim = `devices: { sim: { driver: sim, samples_per_second: ${SAMPLES_PER_SECOND} } }\n`
    const killed = await hubOn(name, spool + sim)
    const { ledger } = await killed.reaches('samples wait', ({ ledger }) => {
      return ledger.spooled >= spooled && ledger.inFlight >= inRing
    })
    const atMs = Date.now()
    await killed.kill()
    await redis.restart()
    const none = 'devices: { none: { driver: replay, path: /dev/null, fields: [a], has_header: false } }\n'
    const next = await hubOn(name, none)
    await next.reaches('what was spooled is delivered', ({ ledger }) => ledger.recovered > 0 && ledger.spooled === 0)
    await next.stop()
    const { host, port } = { host: '127.0.0.1', port: redis.port }
    const options = { host, port, db: 0, tls: false, queueName: name, commandTimeoutMs: 2000 }
    const stored = await readBack(streamLocator({ kind: 'redis', shards: 8, redis: options }))
    const [sequences] = stored.sequences.values()
    assert.deepEqual(
      sequences,
      Array.from(sequences, (_, n) => n),
      'nothing but the end is missing',
    )
    assert.ok(
      sequences.length >= ledger.spooled,
      'what counted as spooled is there, though nothing was flushed to the disk',
    )
    return atMs - stored.newestUs / 1000
  }

  it('loses what its ring alone had: no more than spool.batch_age_ms says', async () => {
    const lostMs = await loseRing('short', 10, 1000, 0)
    assert.ok(lostMs < 10 + SLACK_MS, `the last ${lostMs} ms are gone`)
  })

  it('loses more when batches may wait longer', async () => {
    const lostMs = await loseRing('long', 3000, 1, 2 * SAMPLES_PER_SECOND)
    assert.ok(lostMs > 1500 && lostMs < 3000 + SLACK_MS, `the last ${lostMs} ms are gone`)
  })
})
