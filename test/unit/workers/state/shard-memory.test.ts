import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PAGE_COUNTS, PAGE_WORDS, ShardMemory } from '#workers/state/shard-memory'

const NAME = Uint16Array.of(1, 1, 0, 65, 66)

test('the queue gives slots in order, each once, also when the memory grows while it wraps', () => {
  const memory = ShardMemory.create(3, 7, { slots: 4, pages: 2, nameUnits: 8 })
  for (let slot = 0; slot < 4; slot++) memory.addSeries(NAME)
  for (const slot of [0, 1, 2]) memory.enqueue(slot)
  assert.deepEqual([memory.dequeue(), memory.dequeue()], [0, 1])
  for (const slot of [3, 0, 1, 0]) memory.enqueue(slot)
  memory.addSeries(NAME)
  memory.enqueue(4)
  assert.deepEqual(
    Array.from({ length: 6 }, () => memory.dequeue()),
    [2, 3, 0, 1, 4, -1],
  )
})

test('growth keeps records, pages, names and what has changed', () => {
  const memory = ShardMemory.create(2, 7, { slots: 1, pages: 2, nameUnits: 5 })
  memory.addSeries(NAME)
  memory.records[0] = 1.5
  memory.markChanged(0)
  const page = memory.allocatePage()
  memory.pages[page * PAGE_WORDS + PAGE_COUNTS] = 9
  const { id, memory: before } = memory
  memory.addSeries(Uint16Array.of(1, 1, 0, 67, 68))
  const further = memory.allocatePage()
  assert.notEqual(memory.memory, before)
  assert.equal(memory.id, id)
  assert.equal(memory.records[0], 1.5)
  assert.equal(memory.pages[page * PAGE_WORDS + PAGE_COUNTS], 9)
  assert.deepEqual(memory.pages.slice(further * PAGE_WORDS, (further + 1) * PAGE_WORDS), new Float64Array(PAGE_WORDS))
  assert.deepEqual([...memory.names.slice(memory.nameAt(1), memory.nameAt(1) + 5)], [1, 1, 0, 67, 68])
  assert.deepEqual([...memory.takeChanged()], [0])
  assert.deepEqual([...memory.takeChanged()], [])
})

test('a freed page is used again, as if new', () => {
  const memory = ShardMemory.create(1, 7)
  const first = memory.allocatePage()
  const second = memory.allocatePage()
  memory.pages.fill(3, first * PAGE_WORDS, (first + 1) * PAGE_WORDS)
  memory.freePage(first)
  memory.freePage(second)
  assert.deepEqual([memory.allocatePage(), memory.allocatePage()], [second, first])
  assert.deepEqual(memory.pages.slice(first * PAGE_WORDS, (first + 1) * PAGE_WORDS), new Float64Array(PAGE_WORDS))
})

test('two states never have the same id', () => {
  assert.notEqual(ShardMemory.create(1, 7).id, ShardMemory.create(1, 7).id)
})

test('memory that is not a state of this layout is refused', () => {
  const { memory } = ShardMemory.create(3, 7)
  const BROKEN = { code: 'TLM_INVARIANT_BROKEN' }
  assert.equal(new ShardMemory(memory, 3, 7).memory, memory)
  assert.throws(() => new ShardMemory(memory, 4, 7), BROKEN)
  assert.throws(() => new ShardMemory(memory, 3, 8), BROKEN)
  assert.throws(() => new ShardMemory(new SharedArrayBuffer(4), 3, 7), BROKEN)
  assert.throws(() => new ShardMemory(new SharedArrayBuffer(4096), 3, 7), BROKEN)
})
