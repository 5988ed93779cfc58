import assert from 'node:assert/strict'
import { it } from 'node:test'
import { RunQuantum } from '#src/processor/consume/run-quantum'

const KIB = 1024

it('a run gets what the runs before it did in 10 ms', () => {
  const quantum = new RunQuantum()
  for (let i = 0; i < 30; i++) quantum.ran(300 * KIB, 20)
  assert.ok(Math.abs(quantum.bytes - 150 * KIB) < KIB, `${quantum.bytes}`)
})

it('it stays from 64 KiB to 1 MiB, whatever runs take', () => {
  const quantum = new RunQuantum()
  assert.equal(quantum.bytes, 64 * KIB)
  for (let i = 0; i < 30; i++) quantum.ran(1024 * KIB, 0.1)
  assert.equal(quantum.bytes, 1024 * KIB)
  for (let i = 0; i < 60; i++) quantum.ran(64 * KIB, 10_000)
  assert.equal(quantum.bytes, 64 * KIB)
})

it('small runs and clocks that stand still say nothing', () => {
  const quantum = new RunQuantum()
  quantum.ran(100, 50)
  quantum.ran(1024 * KIB, 0)
  assert.equal(quantum.bytes, 64 * KIB)
})
