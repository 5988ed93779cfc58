import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LatencyRecorder } from '#core/observe/latency-recorder'

test('percentiles are within three digits, and what crosses threads adds up', () => {
  const [left, right] = [new LatencyRecorder(), new LatencyRecorder()]
  for (let us = 1; us <= 10_000; us++) (us % 2 === 0 ? left : right).record(us)
  left.add(right.take()!)
  assert.equal(left.count, 10_000)
  assert.ok(Math.abs(left.percentileUs(50) - 5000) <= 5)
  assert.ok(Math.abs(left.percentileUs(99) - 9900) <= 10)
  assert.equal(right.count, 0)
  assert.equal(right.take(), undefined)
})

test('a latency counts as many times as it had samples', () => {
  const recorder = new LatencyRecorder()
  recorder.record(100, 99)
  recorder.record(9000)
  assert.equal(recorder.count, 100)
  assert.equal(recorder.percentileUs(99), 100)
})

test('latencies of recordings played back are counted apart, not recorded', () => {
  const recorder = new LatencyRecorder()
  recorder.record(-1)
  recorder.record(3e14, 5)
  assert.equal(recorder.count, 0)
  assert.equal(recorder.percentileUs(99), 0)
  assert.equal(recorder.outOfRange, 6)
})

test('counts up to a bound are what a Prometheus histogram wants', () => {
  const recorder = new LatencyRecorder()
  for (const us of [1, 10, 10, 100, 3000, 500_000]) recorder.record(us)
  assert.deepEqual(recorder.countsUpTo([5, 10, 99, 3000, 10_000, 600_000, 1e12]), [1, 3, 3, 5, 5, 6, 6])
})
