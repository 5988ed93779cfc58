import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DeadLetterOrder, Settlement } from '#core/transport/batch-stream'
import { settlementSteps } from '#core/transport/redis/settlement-steps'

const names = (count: number) => Array.from({ length: count }, (_, i) => `e${i}`)
const ofBytes = (bytes: number, ids: readonly string[]) => new Map(ids.map((id) => [id, { bytes }]))
const burial = (id: string): DeadLetterOrder => ({ id, priority: 1, class: 'kind', message: 'why' })
const partOf = (id: string, samples: number): DeadLetterOrder => {
  const part = { correlationId: `${id}#0`, samples, firstTakenAtUs: 5, body: new Uint8Array(samples) }
  return { ...burial(id), part }
}
const NOTHING: Settlement = { ack: [], retry: [], deadLetter: [], state: new Map() }

test('500 burials are cut into steps of some dozens, in order', () => {
  const ids = names(500)
  const steps = settlementSteps({ ...NOTHING, deadLetter: ids.map(burial) }, ofBytes(1000, ids))
  assert.deepEqual(
    steps.flatMap(({ deadLetter }) => deadLetter.map(({ id }) => id)),
    ids,
  )
  for (const { deadLetter } of steps) assert.ok(deadLetter.length <= 40, `${deadLetter.length} burials at once`)
  assert.ok(steps.length <= 16, `${steps.length} steps`)
})

test('large bodies make steps shorter, and one that is too large alone is a step of its own', () => {
  const ids = names(6)
  const steps = settlementSteps({ ...NOTHING, deadLetter: ids.map(burial) }, ofBytes(4 * 2 ** 20, ids))
  assert.deepEqual(
    steps.map(({ deadLetter }) => deadLetter.length),
    [1, 1, 1, 1, 1, 1],
  )
})

test('what saves state stays one step, however large', () => {
  const ids = names(500)
  const settlement = { ...NOTHING, ack: ids, deadLetter: ids.map(burial), state: new Map([['row', undefined]]) }
  assert.deepEqual(settlementSteps(settlement, ofBytes(1000, ids)), [settlement])
})

test('the parts of an entry stay together', () => {
  const ids = names(60)
  const orders = [...ids, ...ids, ...ids].map((id) => partOf(id, 3))
  const steps = settlementSteps({ ...NOTHING, deadLetter: orders }, ofBytes(100, ids))
  assert.ok(steps.length > 1)
  const seen = new Set<string>()
  for (const { deadLetter } of steps) {
    const here = new Set(deadLetter.map(({ id }) => id))
    for (const id of here) {
      assert.equal(deadLetter.filter((order) => order.id === id).length, 3)
      assert.ok(!seen.has(id), `${id} is in two steps`)
      seen.add(id)
    }
  }
  assert.equal(seen.size, 60)
})

test('an empty settlement is one step', () => {
  assert.deepEqual(settlementSteps(NOTHING, new Map()), [NOTHING])
})
