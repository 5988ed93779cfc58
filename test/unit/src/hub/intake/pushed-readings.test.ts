import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ParsedReading } from '#core/codec/task-json'
import { createColumns } from '#core/model/columns'
import { createRing } from '#core/ring/layout'
import { RingConsumer } from '#core/ring/ring-consumer'
import { RingProducer } from '#core/ring/ring-producer'
import { Intake } from '#src/hub/intake/intake'
import { PushedReadings, type PushOutcome } from '#src/hub/intake/pushed-readings'
import { ONE_FOR_ALL } from '#src/hub/intake/ring-classes'
import { RingLane } from '#src/hub/intake/ring-lane'
import { SeriesRegistry } from '#src/hub/intake/series-registry'
import { NO_SHEDDING, SheddingLadder } from '#src/hub/intake/shedding-ladder'

function pushedWith({ slots = 8, rings = 1, maxSeries = 100, ladder = new SheddingLadder(NO_SHEDDING) } = {}) {
  const memories = Array.from({ length: rings }, () => createRing({ slots, rawBytes: 4096 }))
  const lanes = memories.map((memory) => new RingLane(new RingProducer(memory)))
  const intake = new Intake({
    lanes,
    classes: ONE_FOR_ALL,
    registry: new SeriesRegistry(maxSeries),
    ladder,
    onReject: () => {},
  })
  const consumers = memories.map((memory) => new RingConsumer(memory))
  return { intake, pushed: new PushedReadings(intake), consumers, rows: createColumns(slots) }
}

function reading(device: string, values: readonly number[], more: Partial<ParsedReading> = {}): ParsedReading {
  return {
    priority: undefined,
    device,
    takenAtUs: 1_700_000_000_000_000,
    sequence: 0,
    channels: values.map((value, n) => ({ channel: `c${n}`, unit: 'u', value })),
    ...more,
  }
}

function samplesTaken(outcome: PushOutcome): number | undefined {
  return outcome.kind === 'taken' ? outcome.samples : undefined
}

describe('readings that are pushed', () => {
  it('go into the ring with their own priority, numbered per device', () => {
    const { pushed, consumers, rows } = pushedWith()
    const outcome = pushed.push([reading('a', [1, 2], { priority: 0 }), reading('b', [3]), reading('a', [4])])
    assert.equal(samplesTaken(outcome), 4)
    consumers[0].drain(rows)
    assert.deepEqual([...rows.values.subarray(0, 4)], [1, 2, 3, 4])
    assert.deepEqual([...rows.sequences.subarray(0, 4)], [0, 0, 0, 1])
    assert.deepEqual([...rows.priorities.subarray(0, 4)], [0, 0, 1, 1])
  })

  it('share the numbers of a configured device of the same name', () => {
    const { intake, pushed, consumers, rows } = pushedWith()
    const device = intake.addDevice('a', { priority: 1, overflow: 'slow-driver' })
    device.reading(1_700_000_000_000_000, [device.series('c0', 'u')!], [1])
    pushed.push([reading('a', [2])])
    consumers[0].drain(rows)
    assert.deepEqual([...rows.sequences.subarray(0, 2)], [0, 1])
    assert.equal(rows.series[0], rows.series[1])
  })

  it('are all refused when one of them has no room, in whichever ring', () => {
    const { intake, pushed, consumers } = pushedWith({ rings: 2, slots: 4 })
    const names = Array.from({ length: 12 }, (_, n) => `device-${n}`)
    pushed.push(names.map((name) => reading(name, [])))
    const ringOf = (name: string) => intake.lanes.indexOf(intake.device(name)!.laneOf(1))
    const first = names.find((name) => ringOf(name) === 0)!
    const second = names.find((name) => ringOf(name) === 1)!
    assert.equal(samplesTaken(pushed.push([reading(first, [1, 2, 3, 4])])), 4)
    assert.deepEqual(pushed.push([reading(second, [1]), reading(first, [1])]), { kind: 'full' })
    assert.equal(consumers[1].backlog, 0, 'nothing of the refused request was taken')
    assert.equal(samplesTaken(pushed.push([reading(second, [1])])), 1)
    assert.deepEqual(pushed.rejects(), [['ring_full', 2]])
  })

  it('are all refused when their raw bytes have no room', () => {
    const { pushed, consumers } = pushedWith()
    const raw = new Uint8Array(3000)
    assert.deepEqual(pushed.push([reading('a', [1], { raw }), reading('a', [2], { raw })]), { kind: 'full' })
    assert.equal(consumers[0].backlog, 0)
  })

  it('are all refused when one of them is wrong, which is named with its field', () => {
    const { pushed, consumers } = pushedWith({ maxSeries: 3 })
    const good = reading('a', [1])
    const wrong: [ParsedReading, RegExp][] = [
      [reading('a', [1], { takenAtUs: 5 }), /^timestamp: must lie from 1990/],
      [reading('x'.repeat(129), [1]), /^device_id: .*1 to 128 characters/],
      [reading('b', [1, 2, 3, 4]), /^device_id: .*max_series/],
    ]
    for (const [reading, expected] of wrong) {
      const outcome = pushed.push([good, reading])
      assert.ok(outcome.kind === 'invalid')
      assert.equal(outcome.index, 1)
      assert.match(outcome.message, expected)
    }
    assert.equal(consumers[0].backlog, 0)
  })

  it('are refused for good when they have more channels than a ring has slots', () => {
    const { pushed } = pushedWith({ slots: 4 })
    const outcome = pushed.push([reading('a', [1, 2, 3, 4, 5])])
    assert.ok(outcome.kind === 'invalid' && /5 channels/.test(outcome.message))
  })

  it('are all refused while one of them is of a class that is not taken, and count as refused', () => {
    const steps = { high: 'pass', normal: 'pass', low: 'refuse' } as const
    const ladder = new SheddingLadder({ amber: steps, red: steps, keepOneIn: 2 })
    const { intake, pushed } = pushedWith({ ladder })
    ladder.setLevel('amber')
    const readings = [reading('a', [1]), reading('b', [2], { priority: 2 })]
    assert.deepEqual(pushed.push(readings), { kind: 'pressed' })
    assert.equal(intake.totals().accepted, 0)
    assert.deepEqual(pushed.rejects(), [['processors_behind', 2]])
    ladder.setLevel('green')
    assert.equal(samplesTaken(pushed.push(readings)), 2)
  })
})
