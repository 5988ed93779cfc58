import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LatencyRecorder } from '#core/observe/latency-recorder'
import { RecentLatency } from '#core/observe/recent-latency'

function recentAt(startMs: number) {
  const time = { nowMs: startMs }
  const recent = new RecentLatency({ nowUs: () => 0, monotonicMs: () => time.nowMs }, 60_000)
  return { time, recent }
}

test('what was slow a minute ago is forgotten, what was slow since counts', () => {
  const { time, recent } = recentAt(500)
  recent.record(1_000_000, 10)
  assert.equal(Math.round(recent.percentileUs(50) / 1e5), 10)
  for (let second = 1; second <= 45; second++) {
    time.nowMs += 1000
    recent.record(100, 10)
  }
  assert.ok(recent.percentileUs(99) > 990_000, 'still within the minute')
  for (let second = 46; second <= 62; second++) {
    time.nowMs += 1000
    recent.record(100, 10)
  }
  assert.equal(recent.percentileUs(100), 100)
})

test('after a silence of any length nothing is left, and recording goes on', () => {
  const { time, recent } = recentAt(0)
  const worker = new LatencyRecorder()
  worker.record(5000, 3)
  recent.add(worker.take()!)
  assert.equal(Math.round(recent.meanUs / 10), 500)
  time.nowMs += 3_600_000
  assert.equal(recent.percentileUs(99), 0)
  recent.record(7)
  time.nowMs += 300
  assert.equal(recent.percentileUs(99), 7)
})
