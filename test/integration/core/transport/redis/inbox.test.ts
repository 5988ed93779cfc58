import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { openTaskInbox } from '#core/transport/redis/redis-stream'
import type { InboxEntry, OwnedInbox, TaskInbox } from '#core/transport/task-inbox'
import { numbers, until } from '#test/conformance/batch-stream-fixture'
import { startRedis, type TestRedis } from '#test/support/redis-server'
import { adminOf, codeOf, keepUntilEnd, queueAt } from '#test/support/redis-store'
import { TcpProxy } from '#test/support/tcp-proxy'

const LEASE_MS = 60_000
const tasks = (from: number, to: number) => numbers(from, to).map((n) => `task ${n}`)
const bodies = (entries: readonly InboxEntry[]) => entries.map(({ body }) => Buffer.from(body).toString())
const ids = (entries: readonly InboxEntry[]) => entries.map(({ id }) => id)

function ownedInbox(inbox: OwnedInbox | undefined): OwnedInbox {
  assert.ok(inbox, 'the inbox should have been free')
  return inbox
}

function ownWhenFree(inbox: TaskInbox): Promise<OwnedInbox> {
  return until('the inbox becomes free', () => inbox.own(LEASE_MS))
}

function assertGrows(entries: readonly InboxEntry[], after = 0): void {
  for (const { seq } of entries) {
    assert.ok(seq > after, `${seq} should exceed ${after}`)
    after = seq
  }
}

describe('the inbox of pushed tasks', () => {
  let redis: TestRedis
  before(async () => {
    redis = await startRedis()
  })
  after(() => redis.stop())
  const keep = keepUntilEnd()
  const open = (options: unknown, holder = 'holder-a') => keep(openTaskInbox(options, holder))

  it('gives tasks in the order in which they were pushed, each once, with growing numbers', async () => {
    const options = queueAt(redis.port)
    const admin = await keep(adminOf(redis.port))
    const inbox = await open(options)
    await admin.rpush(options.queueName, ...tasks(1, 25))
    const owner = ownedInbox(await inbox.own(LEASE_MS))
    const first = await owner.lease(10, 0)
    const second = await owner.lease(10, 0)
    await admin.rpush(options.queueName, ...tasks(26, 30))
    const rest = [...(await owner.lease(100, 0)), ...(await owner.lease(100, 0))]
    const all = [...first, ...second, ...rest]
    assert.deepEqual(bodies(all), tasks(1, 30))
    assert.equal(first.length, 10)
    assertGrows(all)
    assert.equal(await inbox.backlog(), 30)
    assert.deepEqual(await owner.settle({ ack: ids(all), deadLetter: [] }), { kind: 'settled' })
    assert.equal(await inbox.backlog(), 0)
    assert.deepEqual(await owner.lease(10, 0), [])
  })

  it('gives each task to one of the leases that run at once', async () => {
    const options = queueAt(redis.port)
    const admin = await keep(adminOf(redis.port))
    const owner = ownedInbox(await (await open(options)).own(LEASE_MS))
    await admin.rpush(options.queueName, ...tasks(1, 30))
    const leases = await Promise.all(numbers(1, 8).map(() => owner.lease(7, 0)))
    const came = leases.flat()
    for (let some = await owner.lease(7, 0); some.length > 0; some = await owner.lease(7, 0)) came.push(...some)
    assert.deepEqual(bodies(came), tasks(1, 30))
  })

  it('is woken by a push, keeps the order, and keeps counting after it was empty', async () => {
    const options = queueAt(redis.port)
    const admin = await keep(adminOf(redis.port))
    const owner = ownedInbox(await (await open(options)).own(LEASE_MS))
    let last = 0
    for (let round = 0; round < 5; round++) {
      const waiting = owner.lease(100, 30_000)
      await admin.rpush(options.queueName, ...tasks(round * 3 + 1, round * 3 + 3))
      const start = performance.now()
      const entries = await waiting
      while (entries.length < 3) entries.push(...(await owner.lease(100, 30_000)))
      assert.ok(performance.now() - start < 1000)
      assert.deepEqual(bodies(entries), tasks(round * 3 + 1, round * 3 + 3))
      assertGrows(entries, last)
      last = entries.at(-1)!.seq
      await owner.settle({ ack: ids(entries), deadLetter: [] })
    }
  })

  it('loses nothing when a waiting lease is aborted', async () => {
    const options = queueAt(redis.port)
    const admin = await keep(adminOf(redis.port))
    const owner = ownedInbox(await (await open(options)).own(LEASE_MS))
    const came: string[] = []
    for (let round = 1; round <= 10; round++) {
      const abort = new AbortController()
      const waiting = owner.lease(10, 30_000, abort.signal)
      const pushed = admin.rpush(options.queueName, `task ${round}`)
      if (round % 2 === 0) await pushed
      abort.abort()
      came.push(...bodies(await waiting))
      await pushed
    }
    while (came.length < 10) came.push(...bodies(await owner.lease(10, 5000)))
    assert.deepEqual(came, tasks(1, 10))
  })

  it('gives what an owner left unsettled to the next one, under the same numbers and before new tasks', async () => {
    const options = queueAt(redis.port)
    const admin = await keep(adminOf(redis.port))
    const first = ownedInbox(await (await open(options)).own(150))
    await admin.rpush(options.queueName, ...tasks(1, 6))
    const taken = await first.lease(4, 0)
    await first.settle({ ack: [taken[0].id, taken[2].id], deadLetter: [] })
    const second = await ownWhenFree(await open(options, 'holder-b'))
    const again = [...(await second.lease(3, 0)), ...(await second.lease(10, 0))]
    assert.deepEqual(bodies(again), ['task 2', 'task 4', 'task 5', 'task 6'])
    assert.deepEqual(
      again.slice(0, 2).map(({ seq }) => seq),
      [taken[1].seq, taken[3].seq],
    )
    assertGrows(again)
    assert.deepEqual(await first.settle({ ack: ids(taken), deadLetter: [] }), { kind: 'fenced' })
    assert.equal(await first.renew(), false)
    assert.deepEqual(await first.lease(10, 0), [])
    assert.equal(await (await open(options, 'holder-c')).own(LEASE_MS), undefined)
    await second.release()
    const third = ownedInbox(await (await open(options, 'holder-c')).own(LEASE_MS))
    assert.deepEqual(bodies(await third.lease(10, 0)), bodies(again))
  })

  it('loses nothing to a former owner that is still waiting', async () => {
    const options = queueAt(redis.port)
    const admin = await keep(adminOf(redis.port))
    const first = ownedInbox(await (await open(options)).own(100))
    const waiting = first.lease(10, 3000)
    const second = await ownWhenFree(await open(options, 'holder-b'))
    await admin.rpush(options.queueName, ...tasks(1, 5))
    const came: InboxEntry[] = []
    while (came.length < 5) came.push(...(await second.lease(10, 5000)))
    assert.deepEqual(bodies(came), tasks(1, 5))
    assert.deepEqual(await waiting, [])
  })

  it('loses and doubles nothing while connections are killed', async () => {
    const options = queueAt(redis.port, { commandTimeoutMs: 1000 })
    const admin = await keep(adminOf(redis.port))
    const owner = ownedInbox(await (await open(options)).own(LEASE_MS))
    let pushed = 0
    const came: string[] = []
    while (came.length < 1000) {
      if (pushed < 1000) await admin.rpush(options.queueName, ...tasks(pushed + 1, pushed + 10))
      pushed += 10
      if (pushed % 50 === 0) await admin.call('CLIENT', 'KILL', 'TYPE', 'normal')
      const entries = await codeOf(owner.lease(25, 100))
      if (typeof entries === 'string') continue
      came.push(...bodies(entries))
      await until('settled', async () => {
        const result = await codeOf(owner.settle({ ack: ids(entries), deadLetter: [] }))
        return typeof result !== 'string'
      })
    }
    assert.deepEqual(came, tasks(1, 1000))
  })

  it('gives tasks again whose reply was lost', async () => {
    const options = queueAt(redis.port, { commandTimeoutMs: 300 })
    const admin = await keep(adminOf(redis.port))
    const proxy = await keep(TcpProxy.start(redis.port))
    const owner = ownedInbox(await (await open({ ...options, port: proxy.port })).own(LEASE_MS))
    await admin.rpush(options.queueName, ...tasks(1, 3))
    proxy.dropReplies()
    assert.equal(await codeOf(owner.lease(10, 0)), 'TLM_STREAM_UNAVAILABLE')
    assert.deepEqual(bodies(await owner.lease(10, 0)), tasks(1, 3))
    assert.deepEqual(await owner.lease(10, 0), [])
  })

  it('is given up when Redis comes back without its latest writes, as numbers may come again', async () => {
    const own = await keep(startRedis(['--appendonly', 'no']))
    const options = queueAt(own.port)
    const admin = await keep(adminOf(own.port))
    const inbox = await open(options)
    const first = ownedInbox(await inbox.own(LEASE_MS))
    await admin.save()
    await admin.rpush(options.queueName, 'lost with the restart')
    assert.equal((await first.lease(10, 1000)).length, 1)
    await own.restart()
    const again = await keep(adminOf(own.port))
    await again.rpush(options.queueName, 'task 1')
    await until('the inbox is lost', async () => (await codeOf(first.renew())) === false)
    assert.deepEqual(await first.lease(10, 0), [])
    const second = await ownWhenFree(inbox)
    assert.deepEqual(bodies(await second.lease(10, 1000)), ['task 1'])
  })

  it('keeps dead letters in the list that operators know, with their reason', async () => {
    const options = queueAt(redis.port, { queueName: `${queueAt(0).queueName}:tasks` })
    const deadList = options.queueName.replace(/tasks$/, 'dlq')
    const admin = await keep(adminOf(redis.port))
    const inbox = await open(options)
    const owner = ownedInbox(await inbox.own(LEASE_MS))
    await admin.rpush(options.queueName, '{"no":"task", é}', Buffer.of(0x83, 0xff, 0xc1), 'a good one')
    const [text, binary, good] = await owner.lease(10, 1000)
    const deadLetter = [
      { id: text.id, class: 'TLM_TASK_INVALID', message: 'type is missing' },
      { id: binary.id, class: 'TLM_TASK_INVALID', message: 'no JSON' },
    ]
    const before = Date.now()
    await owner.settle({ ack: [good.id], deadLetter })
    assert.deepEqual(await owner.settle({ ack: [], deadLetter }), { kind: 'settled' })
    const letters = (await admin.lrange(deadList, 0, -1)).map((letter) => JSON.parse(letter))
    assert.equal(letters.length, 2)
    const [{ receivedAt, ...first }, second] = letters
    assert.deepEqual(first, { class: 'TLM_TASK_INVALID', message: 'type is missing', task: '{"no":"task", é}' })
    assert.ok(Math.abs(Date.parse(receivedAt) - before) < 5000)
    assert.deepEqual([second.task, second.encoding], ['g//B', 'base64'])
    assert.equal(await inbox.backlog(), 0)
  })

  it('keeps the newest ten thousand dead letters and counts those it let go', async () => {
    const options = queueAt(redis.port)
    const admin = await keep(adminOf(redis.port))
    const owner = ownedInbox(await (await open(options)).own(LEASE_MS))
    await admin.rpush('test:dlq', ...numbers(1, 9999).map((n) => `old ${n}`))
    await admin.rpush(options.queueName, ...tasks(1, 3))
    const entries = await owner.lease(10, 1000)
    await owner.settle({ ack: [], deadLetter: entries.map(({ id }) => ({ id, class: 'test', message: 'dead' })) })
    assert.equal(await admin.llen('test:dlq'), 10_000)
    assert.equal(await admin.lindex('test:dlq', 0), 'old 3')
    assert.equal(await admin.hget(`{${options.queueName}}:inbox:ctl`, 'dead-letters-trimmed'), '2')
  })

  it('is misconfigured when the list is something else, and goes on once that is mended', async () => {
    const options = queueAt(redis.port)
    const admin = await keep(adminOf(redis.port))
    const owner = ownedInbox(await (await open(options)).own(LEASE_MS))
    await admin.set(options.queueName, 'in the way')
    await assert.rejects(owner.lease(10, 1000), { code: 'TLM_STREAM_MISCONFIGURED', message: /is a string/ })
    await admin.del(options.queueName)
    await admin.rpush(options.queueName, 'task 1')
    assert.deepEqual(bodies(await owner.lease(10, 1000)), ['task 1'])
  })

  it('empties the list also when memory is full', async () => {
    const full = await keep(startRedis(['--maxmemory', '10mb']))
    const options = queueAt(full.port)
    const admin = await keep(adminOf(full.port))
    const task = 'x'.repeat(50_000)
    let pushed = 0
    while ((await codeOf(admin.rpush(options.queueName, task))) !== 'undefined') pushed++
    const owner = ownedInbox(await (await open(options)).own(LEASE_MS))
    let came = 0
    while (came < pushed) {
      const entries = await owner.lease(10, 2000)
      came += entries.length
      await owner.settle({ ack: ids(entries), deadLetter: [] })
    }
    assert.equal(came, pushed)
  })
})
