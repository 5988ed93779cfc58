import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import { FaultyStore, type StoreCall } from '#test/support/faulty-store'
import { ShardRig } from '#test/support/shard-rig'
import { savedSum, valueBatch } from '#test/support/summing-pool'

const ENTRIES = 60

let rig: ShardRig
afterEach(() => rig.balancer.stop())

function rigWith(settings: ConstructorParameters<typeof ShardRig>[1] = {}): ShardRig {
  rig = new ShardRig(new FaultyStore(1), settings)
  checkEverySettlement(rig)
  return rig
}

/** Entries that were acknowledged before their findings were durable: never any, whatever fails. */
const tooEarly: string[] = []

function checkEverySettlement({ store, sink }: ShardRig): void {
  tooEarly.length = 0
  store.onSettle = (shard, { ack }) => {
    for (const id of ack) {
      const correlationId = store.correlationOf(shard, id)
      if (correlationId === undefined) continue
      const key = `entry/${correlationId}`
      if (!sink.findings.has(key)) tooEarly.push(key)
    }
  }
}

function append(from: number, to: number, { store }: ShardRig = rig): void {
  for (let seq = from; seq <= to; seq++) store.append(valueBatch(0, seq, seq))
}

/** Every entry took effect on the state once, its finding is there, and every sample is accounted for. */
function assertExact({ store, sink, imbalance, account }: ShardRig, entries = ENTRIES): void {
  const sum = (entries * (entries + 1)) / 2
  assert.deepEqual(tooEarly, [])
  assert.deepEqual(savedSum(store.shards[0].state), { count: entries, sum })
  assert.deepEqual(sink.findings.get('sum/0')?.body, { count: entries, sum })
  for (let seq = 1; seq <= entries; seq++) assert.ok(sink.findings.has(`entry/test.1.0.${seq}`))
  assert.equal(imbalance, 0)
  assert.equal(account.settled, entries * 3)
  assert.equal(account.inFlight, 0)
}

describe('a shard loop', () => {
  it('saves state and acknowledgements together, findings before both', async () => {
    rigWith()
    append(1, ENTRIES)
    rig.balancer.start()
    await rig.settled()
    assertExact(rig)
    assert.equal(rig.account.leased, ENTRIES * 3)
  })

  it('acknowledges an entry that comes alone within the checkpoint interval', async () => {
    rigWith({ checkpoint: { intervalMs: 30, maxEntries: 1000 } })
    rig.balancer.start()
    append(1, 1)
    await rig.settled()
    append(2, 2)
    await rig.until('the second is written', () => rig.sink.findings.has('entry/test.1.0.2'))
    const writtenMs = performance.now()
    await rig.settled()
    assert.ok(performance.now() - writtenMs < 1000)
    assertExact(rig, 2)
  })

  it('makes its checkpoint sooner while letters of single samples wait for it', async () => {
    rigWith({ maxInFlight: 10_000, checkpoint: { intervalMs: 600_000, maxEntries: 100_000 } })
    const sample = { device: 'd', channel: 'c', takenAtUs: 1, error: { code: 'TLM_HANDLER_FAILED' as const } }
    rig.pool.deadOf = () => {
      const error = { ...sample.error, message: 'no', details: {} }
      return [{ ...sample, row: 1, body: new Uint8Array(8), error }]
    }
    append(1, ENTRIES)
    rig.balancer.start()
    await rig.until('all letters are written', () => rig.store.shards[0].deadLetters.length === ENTRIES)
    assert.deepEqual(savedSum(rig.store.shards[0].state).count, ENTRIES)
  })

  it('leases no more than the budget and its share of it', async () => {
    rigWith({ checkpoint: { intervalMs: 10_000, maxEntries: 100_000 } })
    let most = 0
    rig.pool.onRun = () => {
      most = Math.max(most, rig.account.inFlight / 3)
    }
    append(1, 1000)
    rig.balancer.start()
    await rig.settled()
    assert.ok(most <= 100, `${most} entries in flight`)
    assertExact(rig, 1000)
  })

  it('hands a shard over with nothing left unsettled, and the next owner goes on from its state', async () => {
    rigWith({ checkpoint: { intervalMs: 60_000, maxEntries: 100_000 } })
    append(1, 20)
    rig.balancer.start()
    await rig.until('they are run', () => rig.sink.findings.size === 21)
    await rig.balancer.stop()
    assertExact(rig, 20)
    assert.equal(rig.store.shards[0].owner, undefined)
    assert.equal(rig.account.released, 0)
    const next = new ShardRig(rig.store, {}, 'b', rig.sink)
    append(21, ENTRIES, next)
    next.balancer.start()
    await next.settled()
    assert.deepEqual(savedSum(next.store.shards[0].state).count, ENTRIES)
    await next.balancer.stop()
  })

  it('stops at once when the shard has another owner, and counts what it held as released', async () => {
    rigWith({ leaseMs: 60, checkpoint: { intervalMs: 60_000, maxEntries: 100_000 } })
    append(1, 5)
    rig.balancer.start()
    await rig.until('they are run', () => rig.sink.findings.size === 6)
    // As after a pause of the whole process: the ownership has ended and somebody else has the shard.
    const shard = rig.store.shards[0]
    Object.assign(shard, { owner: 'b', token: shard.token + 1, untilMs: performance.now() + 60_000 })
    await rig.until('it has noticed', () => rig.balancer.running.size === 0)
    assert.equal(rig.account.released, 15)
    assert.equal(rig.imbalance, 0)
    assert.equal(rig.store.unsettled, 5)
    assert.deepEqual(savedSum(shard.state), { count: 0, sum: 0 })
  })
})

describe('a fenced settlement', () => {
  it('ends the loop at once, long before the next renewal would', async () => {
    rigWith({ leaseMs: 60_000, checkpoint: { intervalMs: 200, maxEntries: 1000 } })
    append(1, 5)
    rig.balancer.start()
    await rig.until('they are settled', () => rig.store.unsettled === 0)
    const shard = rig.store.shards[0]
    append(6, 10)
    await rig.until('they are run', () => rig.sink.findings.has('entry/test.1.0.10'))
    Object.assign(shard, { owner: 'b', token: shard.token + 1, untilMs: performance.now() + 60_000 })
    await rig.until('it has noticed', () => rig.balancer.running.size === 0)
    assert.equal(rig.account.released, 15)
    assert.equal(rig.account.settled, 15)
    assert.equal(rig.imbalance, 0)
  })
})

describe('handlers that cannot run at all', () => {
  it('cost no entry, however often they fail', async () => {
    rigWith()
    let runs = 0
    rig.pool.onRun = () => {
      if (++runs <= 20) throw new Error('module not found')
    }
    append(1, 1)
    rig.balancer.start()
    await rig.until('all is settled', () => rig.store.unsettled === 0, 30_000)
    assert.deepEqual(rig.store.shards[0].deadLetters, [])
    await rig.settled()
    assertExact(rig, 1)
  })
})

describe('a fault of the store', () => {
  const calls: StoreCall[] = ['own', 'beat', 'loadState', 'lease', 'renew', 'settle', 'release']
  for (const call of calls) {
    for (const when of ['before', 'after'] as const) {
      it(`${when} ${call} takes effect costs nothing, whenever it comes`, async () => {
        for (let nth = 1; nth <= 3; nth++) {
          rigWith({ leaseMs: 150, maxInFlight: 20 })
          let calls = 0
          rig.store.fault = (made) => {
            if (made !== call || ++calls !== nth) return undefined
            if (when === 'before') throw new Error('fault')
            return 'after'
          }
          append(1, ENTRIES)
          rig.balancer.start()
          await rig.settled()
          await rig.balancer.stop()
          assertExact(rig)
        }
      })
    }
  }
})

describe('a run that dies', () => {
  it('half way leaves the state of the last checkpoint, and everything since comes again', async () => {
    for (let nth = 1; nth <= 5; nth++) {
      rigWith({ maxInFlight: 10 })
      let runs = 0
      rig.pool.onRun = ({ state, entries }) => {
        if (entries.length === 0 || ++runs !== nth) return
        if (state) new Float64Array(state).fill(Number.NaN)
        throw new Error('the thread died')
      }
      append(1, ENTRIES)
      rig.balancer.start()
      await rig.settled()
      await rig.balancer.stop()
      assertExact(rig)
      assert.ok(rig.account.retried > 0)
    }
  })

  it('each time for one batch costs that batch alone, and only after it was run alone', async () => {
    rigWith()
    let deathsInCompany = 0
    rig.pool.onRun = (_, values) => {
      if (!values.includes(31)) return
      if (values.length > 1) deathsInCompany++
      throw new Error('the thread died')
    }
    append(1, ENTRIES)
    rig.balancer.start()
    await rig.settled()
    assert.equal(deathsInCompany, 1)
    const [dead, ...others] = rig.store.shards[0].deadLetters
    assert.deepEqual(others, [])
    assert.equal(dead.class, 'crash-loop')
    assert.match(dead.message, /run alone.*the thread died/)
    assert.deepEqual(savedSum(rig.store.shards[0].state), { count: ENTRIES - 1, sum: 1830 - 31 })
    assert.equal(rig.imbalance, 0)
    assert.equal(rig.account.deadLettered, 3)
  })

  it('with its whole process each time is known by the row that announced it', async () => {
    const store = new FaultyStore(1)
    let processes = 0
    for (; processes < 30 && store.shards[0].deadLetters.length === 0; processes++) {
      rig = new ShardRig(store, {}, `process-${processes}`)
      if (processes === 0) append(1, 10)
      let hasDied = false
      rig.pool.onRun = async (_, values) => {
        if (!values.includes(4)) return
        hasDied = true
        await new Promise(() => {})
      }
      rig.balancer.start()
      const dying = rig
      await rig.until('it dies or settles', () => hasDied || store.unsettled === 0)
      // The process is gone: its loop is cut off from the store, the shard is free.
      store.shards[0].token++
      store.shards[0].owner = undefined
      store.members.clear()
      dying.balancer.abandon()
      void dying.balancer.stop()
    }
    assert.deepEqual(
      store.shards[0].deadLetters.map(({ class: reason }) => reason),
      ['crash-loop'],
    )
    assert.ok(processes < 12, `${processes} processes died`)
    const last = new ShardRig(store, {}, 'last')
    last.balancer.start()
    await last.settled()
    assert.deepEqual(savedSum(store.shards[0].state), { count: 9, sum: 55 - 4 })
    await last.balancer.stop()
  })
})

describe('an entry that cannot be processed', () => {
  it('is dead-lettered at once when it can never be, with its reason', async () => {
    rigWith()
    rig.pool.errorOf = (_, value) =>
      value === 7 ? { code: 'TLM_BATCH_UNREADABLE', message: 'cut short at byte 3', details: {} } : undefined
    append(1, 10)
    rig.balancer.start()
    await rig.settled()
    assert.deepEqual(
      rig.store.shards[0].deadLetters.map(({ class: reason, message }) => [reason, message]),
      [['unreadable', 'cut short at byte 3']],
    )
    assert.deepEqual(savedSum(rig.store.shards[0].state), { count: 9, sum: 55 - 7 })
    assert.equal(rig.imbalance, 0)
  })

  it('is tried again as often as configured, and only then dead-lettered', async () => {
    rigWith({ maxRetries: 2 })
    let attempts = 0
    rig.pool.errorOf = (_, value) => {
      if (value !== 3) return undefined
      attempts++
      return { code: 'TLM_HANDLER_FAILED', message: 'no', details: {} }
    }
    append(1, 5)
    rig.balancer.start()
    await rig.settled()
    assert.equal(attempts, 3)
    assert.equal(rig.store.shards[0].deadLetters[0].class, 'handler-error')
    assert.equal(rig.account.retried, 2 * 3)
    assert.equal(rig.imbalance, 0)
  })
})

describe('an entry that fails in one handler while another is paused', () => {
  it('is not given up before the paused one has had it, too', async () => {
    const user = (type: string) => ({ type, options: {}, moduleUrl: 'file:///handler.mjs' })
    const handlers = [{ type: 'test.sum', options: {} }, user('paused'), user('failing')]
    rig = new ShardRig(new FaultyStore(1), { maxRetries: 0 }, 'a', undefined, { handlers })
    for (let i = 0; i < 10; i++) rig.handlers.ran(`other ${i}`, 'paused', 0, undefined, 'paused')
    const [{ circuit }] = rig.handlers.handlers
    assert.equal(circuit.state, 'open')
    const no = { code: 'TLM_HANDLER_FAILED', message: 'no', details: { handler: 'failing' } } as const
    rig.pool.errorOf = ({ handler }, value) => (value === 3 && handler === '*' ? no : undefined)
    const states: string[] = []
    rig.store.onSettle = (_, { deadLetter }) => {
      if (deadLetter.length > 0) states.push(circuit.state)
    }
    append(1, 5)
    rig.balancer.start()
    await rig.settled()
    assert.deepEqual(states, ['closed'])
    assert.ok(rig.held.handler_paused > 0)
    assert.equal(rig.store.shards[0].deadLetters.length, 1)
    assert.deepEqual(savedSum(rig.store.shards[0].state), { count: 8, sum: 24 })
    assert.equal(rig.imbalance, 0)
  })
})

describe('a sink', () => {
  it('that loses rows acknowledges nothing that came after its last commit', async () => {
    for (let nth = 1; nth <= 4; nth++) {
      rigWith({ maxInFlight: 20 })
      let writes = 0
      rig.sink.onWrite = async () => {
        if (++writes === nth) throw new Error('gone')
      }
      append(1, ENTRIES)
      rig.balancer.start()
      await rig.settled()
      await rig.balancer.stop()
      assertExact(rig)
    }
  })

  it('that holds back writes stops the leasing, not the renewing', async () => {
    rigWith({ leaseMs: 90 })
    const held: (() => void)[] = []
    let isHolding = true
    rig.sink.onWrite = () => (isHolding ? new Promise((resolve) => held.push(resolve)) : Promise.resolve())
    for (let seq = 1; seq <= ENTRIES; seq++) append(seq, seq)
    rig.balancer.start()
    await rig.until('a write waits', () => held.length > 0)
    const { token } = rig.store.shards[0]
    const sinceMs = performance.now()
    await rig.until('three leases have passed', () => performance.now() - sinceMs > 300)
    assert.equal(rig.store.shards[0].token, token)
    assert.equal(rig.account.settled, 0)
    assert.ok(rig.pool.runs.length <= 3)
    isHolding = false
    for (const resolve of held) resolve()
    await rig.settled()
    assertExact(rig)
  })
})
