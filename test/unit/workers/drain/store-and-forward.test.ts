import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { createSealJournal } from '#core/journal/layout'
import { SealJournal } from '#core/journal/seal-journal'
import { createSpoolCounts, SpoolCountsView } from '#core/journal/spool-counts'
import { LatencyRecorder } from '#core/observe/latency-recorder'
import { CircuitBreaker } from '#core/policy/circuit-breaker'
import { systemClock } from '#core/time/clock'
import type { AppendOutcome, BatchProducer, SealedBatch } from '#core/transport/batch-stream'
import type { Repair } from '#workers/drain/spool-replay'
import { SpooledStore } from '#workers/drain/spooled-store'

const EPOCH = 1_800_000_000_000_000
const SHARDS = 2

function batch(shard: number, seq: number, bytes = 100): SealedBatch {
  const header = { producer: 'hub.r0', epoch: EPOCH, seq, shard, priority: 1 as const, handler: '*' }
  return { ...header, samples: 10, firstTakenAtUs: 1, body: new Uint8Array(bytes) }
}

/** A store that answers when the test says so. */
class HeldStore implements BatchProducer {
  readonly shards = SHARDS
  readonly calls: { batches: readonly SealedBatch[]; answer: (outcome: AppendOutcome) => void }[] = []
  #onCall = () => {}

  append(batches: readonly SealedBatch[]): Promise<AppendOutcome[]> {
    return new Promise((resolve) => {
      this.calls.push({ batches, answer: (outcome) => resolve(batches.map(() => outcome)) })
      this.#onCall()
    })
  }

  /** The call of that number, from 0, once it is made. */
  async call(number: number) {
    while (this.calls.length <= number) {
      await new Promise<void>((resolve) => {
        this.#onCall = resolve
      })
    }
    return this.calls[number]
  }

  async close(): Promise<void> {}
}

const STORED: AppendOutcome = { kind: 'stored' }
const AWAY: AppendOutcome = { kind: 'unavailable', message: 'away' }
const seqsOf = (batches: readonly SealedBatch[]) => batches.map(({ shard, seq }) => `${shard}.${seq}`)

describe('a store with a spool before it', () => {
  let directory: string
  let held: HeldStore
  let breaker: CircuitBreaker
  let spooled: SpooledStore
  let counts: SpoolCountsView
  let repairs: Repair[]
  let openSpooled: () => Promise<SpooledStore>

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'telemetryhub-forward-'))
    held = new HeldStore()
    repairs = []
    breaker = new CircuitBreaker({
      failuresToOpen: 1,
      backoff: { baseMs: 1, maxMs: 1 },
      nowMs: systemClock.monotonicMs,
    })
    const memory = createSpoolCounts(SHARDS)
    counts = new SpoolCountsView(memory)
    openSpooled = () =>
      SpooledStore.open({
        options: {
          directory,
          counts: memory,
          maxBytes: 2 ** 26,
          maxAgeMs: 3_600_000,
          batchAgeMs: 100,
          fsyncMs: 1000,
          liveShare: 0.75,
          keep: { bytes: 2 ** 20, ageMs: 60_000 },
        },
        producer: 'hub.r0',
        epoch: EPOCH,
        journal: new SealJournal(createSealJournal({ shards: SHARDS, maxInFlight: 8 })),
        openStore: async () => held,
        breaker,
        latency: new LatencyRecorder(),
        clock: systemClock,
        onChange: () => {},
        onRollBack: () => {},
        onRepair: (repair) => repairs.push(repair),
        onFailure: (error) => {
          throw error
        },
      })
    spooled = await openSpooled()
  })
  afterEach(async () => {
    for (const { answer } of held.calls) answer(AWAY)
    await spooled.store.close()
    rmSync(directory, { recursive: true, force: true })
  })

  /** Has the first batches of shard 0 spooled, with one try of the store. */
  async function fail(...batches: SealedBatch[]): Promise<void> {
    const outcomes = spooled.store.append(batches)
    const { answer } = await held.call(held.calls.length - 1)
    answer(AWAY)
    assert.deepEqual(
      (await outcomes).map(({ kind }) => kind),
      batches.map(() => 'spooled'),
    )
  }

  it('sends straight through while the store takes batches, and writes nothing', async () => {
    const outcomes = spooled.store.append([batch(0, 1), batch(1, 1)])
    ;(await held.call(0)).answer(STORED)
    assert.deepEqual(await outcomes, [STORED, STORED])
    assert.equal(counts.read().appended, 0)
  })

  it('spools what the store did not take, counts many failed calls as one outage, and tries with one batch', async () => {
    const outcomes = [spooled.store.append([batch(0, 1)]), spooled.store.append([batch(0, 2), batch(1, 1)])]
    for (const { answer } of held.calls) answer(AWAY)
    assert.deepEqual(
      (await Promise.all(outcomes)).flat().map(({ kind }) => kind),
      ['spooled', 'spooled', 'spooled'],
    )
    assert.equal(breaker.failures, 1)
    const probe = await held.call(2)
    assert.deepEqual(seqsOf(probe.batches), ['0.1'])
    assert.equal(breaker.state, 'half-open')
    probe.answer(STORED)
    const rest = await held.call(3)
    assert.deepEqual(seqsOf(rest.batches), ['0.2', '1.1'])
    rest.answer(STORED)
    await untilHeld(counts, 0)
    assert.deepEqual([breaker.state, counts.read().replayed], ['closed', 30])
  })

  it('sends straight through again once all that waited is stored', async () => {
    await fail(batch(0, 1), batch(0, 2))
    ;(await held.call(1)).answer(STORED)
    const replay = await held.call(2)
    assert.deepEqual(seqsOf(replay.batches), ['0.2'])
    replay.answer(AWAY)
    ;(await held.call(3)).answer(STORED)
    await untilHeld(counts, 0)
    const outcomes = spooled.store.append([batch(0, 3), batch(1, 1)])
    const live = await held.call(4)
    assert.deepEqual(seqsOf(live.batches), ['0.3', '1.1'])
    live.answer(STORED)
    assert.deepEqual(await outcomes, [STORED, STORED])
  })

  it('sends live batches behind replay that is under way, and spools them when that fails', async () => {
    await fail(batch(0, 1), batch(0, 2))
    ;(await held.call(1)).answer(STORED)
    const replay = await held.call(2)
    const outcomes = spooled.store.append([batch(0, 3)])
    assert.deepEqual(seqsOf((await held.call(3)).batches), ['0.3'])
    replay.answer(AWAY)
    held.calls[3].answer({ kind: 'gap', highWaterSeq: 1 })
    assert.deepEqual(await outcomes, [{ kind: 'spooled' }])
    const probe = await held.call(4)
    assert.deepEqual(seqsOf(probe.batches), ['0.2'])
    probe.answer(STORED)
    const last = await held.call(5)
    assert.deepEqual(seqsOf(last.batches), ['0.3'])
    last.answer(STORED)
    await untilHeld(counts, 0)
  })

  it('sends shards directly of which nothing waits, and leaves them their share of the bytes under way', async () => {
    const large = Array.from({ length: 64 }, (_, n) => batch(0, n + 1, 100_000))
    await fail(...large)
    // A live batch of the other shard flows from the moment on at which the store is back.
    ;(await held.call(1)).answer(STORED)
    await held.call(2)
    const live = spooled.store.append([batch(1, 1), batch(0, 65)])
    const underWay = () => {
      const bodies = held.calls.slice(2).flatMap(({ batches }) => batches.filter(({ shard }) => shard === 0))
      return bodies.reduce((sum, { body }) => sum + body.byteLength, 0)
    }
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
    assert.ok(underWay() <= 0.25 * 2 ** 21 + 100_000, `${underWay()} bytes of replay are under way`)
    held.calls.find(({ batches }) => batches[0].shard === 1)!.answer(STORED)
    assert.deepEqual(await live, [STORED, { kind: 'spooled' }])
  })

  it('keeps batches while it is told to hold, though the store takes them, and sends them in order afterwards', async () => {
    const before = spooled.store.append([batch(0, 1)])
    ;(await held.call(0)).answer(STORED)
    await before
    spooled.hold(true)
    assert.deepEqual([spooled.status.spill, spooled.isSpooling, spooled.status.storeUp], ['holding', true, true])
    for (let seq = 2; seq <= 4; seq++) {
      assert.deepEqual(await spooled.store.append([batch(0, seq), batch(1, seq - 1)]), [
        { kind: 'spooled' },
        { kind: 'spooled' },
      ])
    }
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
    assert.equal(held.calls.length, 1, 'nothing is sent')
    const { heldBack, heldBackBatches } = counts.read()
    assert.deepEqual([heldBack, heldBackBatches], [60, 6])
    spooled.hold(false)
    assert.equal(spooled.status.spill, 'easing')
    const replay = await held.call(1)
    // What comes meanwhile goes behind; once all before is under way it follows directly.
    const after = spooled.store.append([batch(0, 5)])
    replay.answer(STORED)
    const direct = await held.call(2)
    direct.answer(STORED)
    await after
    await untilHeld(counts, 0)
    assert.deepEqual(seqsOf(replay.batches), ['0.2', '1.1', '0.3', '1.2', '0.4', '1.3'])
    assert.deepEqual(seqsOf(direct.batches), ['0.5'])
    assert.equal(counts.read().heldBack, 60, 'what only went behind is not counted')
  })

  it('spools what follows the batches that a worker before it has spooled', async () => {
    await fail(batch(0, 1))
    for (const { answer } of held.calls) answer(AWAY)
    await spooled.store.close()
    spooled = await openSpooled()
    spooled.hold(true)
    const outcomes = await spooled.store.append([batch(0, 1), batch(0, 2)])
    assert.deepEqual(
      outcomes.map(({ kind }) => kind),
      ['spooled', 'spooled'],
    )
    assert.equal(counts.read().held, 20)
  })

  it('lets what is under way end when it is told to hold, and keeps what that leaves', async () => {
    const outcomes = [spooled.store.append([batch(0, 1)]), spooled.store.append([batch(0, 2)])]
    spooled.hold(true)
    const third = spooled.store.append([batch(0, 3)])
    held.calls[0].answer(STORED)
    held.calls[1].answer(AWAY)
    assert.deepEqual(
      (await Promise.all([...outcomes, third])).flat().map(({ kind }) => kind),
      ['stored', 'spooled', 'spooled'],
    )
    assert.equal(held.calls.length, 2)
    spooled.hold(false)
    const replay = await held.call(2)
    assert.deepEqual(seqsOf(replay.batches), ['0.2'], 'the breaker is tried with one')
    replay.answer(STORED)
    const rest = await held.call(3)
    assert.deepEqual(seqsOf(rest.batches), ['0.3'])
    rest.answer(STORED)
    await untilHeld(counts, 0)
  })

  it('sends what it held at a bounded pace, behind which later batches wait their turn', async () => {
    spooled.hold(true)
    const large = Array.from({ length: 40 }, (_, n) => batch(0, n + 1, 60_000))
    await spooled.store.append(large)
    const startedMs = performance.now()
    spooled.hold(false)
    let bytes = 0
    for (let call = 0; bytes < 40 * 60_000; call++) {
      const { batches, answer } = await held.call(call)
      bytes += batches.reduce((sum, { body }) => sum + body.byteLength, 0)
      answer(STORED)
    }
    const tookMs = performance.now() - startedMs
    // 2.4 MB, of which a burst of one call may go beyond what a second allows.
    assert.ok(tookMs > 1900, `${bytes} bytes were sent in ${tookMs} ms`)
    await untilHeld(counts, 0)
  })

  it('gives a store that went back in time what it has kept, before what follows', async () => {
    for (let seq = 1; seq <= 3; seq++) {
      const outcomes = spooled.store.append([batch(0, seq)])
      ;(await held.call(seq - 1)).answer(STORED)
      await outcomes
    }
    const outcomes = spooled.store.append([batch(0, 4)])
    ;(await held.call(3)).answer({ kind: 'gap', highWaterSeq: 1 })
    assert.deepEqual(await outcomes, [{ kind: 'spooled' }])
    ;(await held.call(4)).answer({ kind: 'gap', highWaterSeq: 1 })
    const repair = await held.call(5)
    assert.deepEqual(seqsOf(repair.batches), ['0.2', '0.3', '0.4'])
    assert.deepEqual(
      repair.batches.map(({ after }) => after),
      [1, 2, 3],
    )
    repair.answer(STORED)
    await untilHeld(counts, 0)
    assert.deepEqual(repairs, [{ shard: 0, highWaterSeq: 1, batches: 2, samples: 20 }])
    const { repaired, rolledBack, replayed } = counts.read()
    assert.deepEqual([repaired, rolledBack, replayed], [20, 0, 10])
  })
})

async function untilHeld(counts: SpoolCountsView, samples: number): Promise<void> {
  while (counts.read().held !== samples) await new Promise((resolve) => setImmediate(resolve))
}
