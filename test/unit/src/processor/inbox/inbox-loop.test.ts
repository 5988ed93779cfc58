import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import { BatchDecoder } from '#core/codec/batch-codec'
import type { IngestReply, IngestRequest } from '#core/protocol/handler-messages'
import { systemClock } from '#core/time/clock'
import { createLogger } from '#src/host/logger'
import { RateLimitedLog } from '#src/host/rate-limited-log'
import { InboxLoop } from '#src/processor/inbox/inbox-loop'
import { StoreHealth } from '#src/processor/store-health'
import { type InboxCall, MemoryInbox } from '#test/support/memory-inbox'
import { MemoryStore, type StoreMood } from '#test/support/memory-store'
import { ingestTasks } from '#workers/ingest-tasks'

const SHARDS = 4
const TASKS = 40
const log = createLogger({ name: 'test', level: 'silent' })

let running: InboxLoop[] = []
afterEach(async () => {
  await Promise.all(running.map((loop) => loop.stop()))
  running = []
})

class IngestRig {
  readonly inbox = new MemoryInbox()
  readonly store = new MemoryStore(SHARDS)
  /** Throws to let a run of `ingest` die. */
  onIngest: (texts: readonly string[]) => void = () => {}

  start(): InboxLoop {
    const warnings = new RateLimitedLog(log, systemClock)
    const pool = {
      run: () => Promise.reject(new Error('not part of this test')),
      ingest: async (request: IngestRequest): Promise<IngestReply> => {
        const textOf = ({ offset, length }: { offset: number; length: number }) =>
          new TextDecoder().decode(request.bodies.subarray(offset, offset + length))
        this.onIngest(request.entries.map(textOf))
        return ingestTasks(request, 1)
      },
    }
    const producer = this.store.openProducer()
    const health = new StoreHealth(warnings)
    const loop = new InboxLoop({ inbox: this.inbox, producer, pool, health, log, warnings }, 5000)
    running.push(loop)
    loop.start()
    return loop
  }

  /** Values of all samples in the store, by device, in the order in which they are stored. */
  stored(): Map<string, number[]> {
    const values = new Map<string, number[]>()
    const decoder = new BatchDecoder()
    for (const { body } of this.store.entries) {
      const batch = decoder.decode(body)
      for (let row = 0; row < batch.count; row++) {
        const { device } = batch.series[batch.seriesIndex[row]]
        values.set(device, [...(values.get(device) ?? []), batch.values[row]])
      }
    }
    return values
  }

  async empty(): Promise<void> {
    const endMs = performance.now() + 10_000
    while ((await this.inbox.backlog()) > 0) {
      if (performance.now() > endMs) throw new Error(`${await this.inbox.backlog()} tasks are left.`)
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  }
}

function task(device: string, value: number): string {
  return JSON.stringify({ type: 'telemetry.analyze', payload: { device_id: device, temperature: value } })
}

function pushTasks({ inbox }: IngestRig, from: number, to: number): void {
  for (let i = from; i < to; i++) inbox.push(task(`device-${i % 5}`, i))
}

/** Every task took effect once, those of a device in order of arrival. */
function assertOnce(rig: IngestRig, tasks = TASKS): void {
  const expected = new Map<string, number[]>()
  for (let i = 0; i < tasks; i++) expected.set(`device-${i % 5}`, [...(expected.get(`device-${i % 5}`) ?? []), i])
  assert.deepEqual(new Map([...rig.stored()].sort()), new Map([...expected].sort()))
}

describe('the ingest of pushed tasks', () => {
  it('stores each task once and takes it out of the inbox', async () => {
    const rig = new IngestRig()
    pushTasks(rig, 0, TASKS)
    const loop = rig.start()
    await rig.empty()
    assertOnce(rig)
    assert.equal(loop.counters.tasks, TASKS)
  })

  it('keeps tasks that cannot be read as dead letters with their reason, the others go on', async () => {
    const rig = new IngestRig()
    rig.inbox.push('no task')
    pushTasks(rig, 0, TASKS)
    rig.inbox.push('{"type":"telemetry.analyze"}')
    const loop = rig.start()
    await rig.empty()
    assertOnce(rig)
    assert.equal(loop.counters.deadLettered, 2)
    assert.deepEqual(
      rig.inbox.deadLetters.map(({ id, class: reason }) => [id, reason]),
      [
        ['1', 'TLM_TASK_INVALID'],
        [String(TASKS + 2), 'TLM_TASK_INVALID'],
      ],
    )
    assert.match(rig.inbox.deadLetters[1].message, /payload/)
  })

  it('convicts a task that ends its run, alone, after halving', async () => {
    const rig = new IngestRig()
    pushTasks(rig, 0, TASKS)
    rig.inbox.push('bomb')
    rig.onIngest = (texts) => {
      if (texts.includes('bomb')) throw new Error('the thread died')
    }
    rig.start()
    await rig.empty()
    assertOnce(rig)
    assert.deepEqual(
      rig.inbox.deadLetters.map(({ class: reason }) => reason),
      ['crash-loop'],
    )
  })

  it('convicts nothing while no run works at all', async () => {
    const rig = new IngestRig()
    rig.inbox.push(task('device-0', 0))
    let runs = 0
    rig.onIngest = () => {
      if (++runs <= 8) throw new Error('no thread can start')
    }
    rig.start()
    await rig.empty()
    assert.deepEqual(rig.inbox.deadLetters, [])
    assertOnce(rig, 1)
  })
})

describe('a fault while tasks are ingested', () => {
  const moods: StoreMood[] = ['away', 'reply lost', 'half', 'full', 'misconfigured']
  for (const mood of moods) {
    it(`of the stream (${mood}) makes no task twice and loses none`, async () => {
      for (let nth = 1; nth <= 3; nth++) {
        const rig = new IngestRig()
        let calls = 0
        rig.store.mood = () => (++calls === nth ? mood : 'well')
        pushTasks(rig, 0, TASKS / 2)
        rig.start()
        await rig.empty()
        pushTasks(rig, TASKS / 2, TASKS)
        await rig.empty()
        assertOnce(rig)
      }
    })
  }

  const calls: InboxCall[] = ['own', 'lease', 'settle', 'release']
  for (const call of calls) {
    for (const when of ['before', 'after'] as const) {
      it(`of the inbox, ${when} ${call} took effect, makes no task twice and loses none`, async () => {
        const rig = new IngestRig()
        let made = 0
        rig.inbox.fault = (name) => {
          if (name !== call || ++made > 2) return undefined
          if (when === 'before') throw new Error('fault')
          return 'after'
        }
        pushTasks(rig, 0, TASKS / 2)
        rig.start()
        await rig.empty()
        pushTasks(rig, TASKS / 2, TASKS)
        await rig.empty()
        assertOnce(rig)
      })
    }
  }

  for (const point of ['ingest', 'append', 'settle'] as const) {
    it(`that ends the processor in its ${point} leaves tasks that its successor makes once`, async () => {
      for (const storedBefore of [0, TASKS / 2]) {
        const rig = new IngestRig()
        pushTasks(rig, 0, storedBefore)
        rig.start()
        await rig.empty()
        let isDead = false
        const die = (here: string) => {
          if (isDead || here !== point) return
          isDead = true
          rig.inbox.disown()
          // The successor leases another set than the dead one had: these have come since.
          pushTasks(rig, TASKS - 10, TASKS)
          rig.start()
        }
        rig.onIngest = () => die('ingest')
        rig.store.mood = () => {
          die('append')
          return 'well'
        }
        rig.inbox.fault = (call) => {
          if (call === 'settle') die('settle')
          return undefined
        }
        pushTasks(rig, storedBefore, TASKS - 10)
        await rig.empty()
        assert.equal(isDead, true)
        assertOnce(rig)
      }
    })
  }
})
