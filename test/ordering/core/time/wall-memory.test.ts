import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { createWallMemory, WallReader } from '#core/time/wall-memory'
import type { MappingThreadData } from './mapping-thread.js'

const ROUNDS = 20_000
const BASE_US = Date.UTC(2026, 0) * 1000

test('a mapping that another thread writes meanwhile is read whole, never older than before', async () => {
  const memory = createWallMemory()
  const workerData: MappingThreadData = { memory, rounds: ROUNDS, baseUs: BASE_US }
  const worker = new Worker(new URL('./mapping-thread.js', import.meta.url), { workerData })
  let isWritten = false
  const ended = new Promise<void>((resolve, reject) => {
    worker.once('message', () => {
      isWritten = true
    })
    worker.once('error', reject)
    worker.once('exit', () => resolve())
  })
  const reader = new WallReader(memory)
  let last = 0
  let seen = 0
  while (!isWritten) {
    for (let look = 0; look < 500; look++) {
      reader.load()
      const first = reader.toWall(0)
      if (first === 0) continue
      for (let atUs = 500; atUs < 64_000; atUs += 7000) assert.equal(reader.toWall(atUs) - atUs, first)
      assert.ok(first >= last)
      if (first > last) seen++
      last = first
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
  await ended
  reader.load()
  assert.equal(reader.toWall(0), BASE_US + ROUNDS)
  assert.ok(seen > 10, `${seen} mappings were read while they were written`)
})
