import assert from 'node:assert/strict'
import { test } from 'node:test'
import { batchOf } from '#test/support/batches'
import { ShardOwner, specOf } from '#test/support/shard-owner'

const TYPE = 'telemetry.alert'
const MINUTE_US = 60_000_000

function ownerOf(rule: Record<string, unknown>): ShardOwner {
  return new ShardOwner([specOf(TYPE, { rules: [{ name: 'hot', channel: 'temperature', ...rule }] })])
}

/** One sample a minute from minute 0; what is told at each minute. */
function transitions(owner: ShardOwner, values: readonly number[], fromMinute = 0): string[] {
  return values.map((value, index) => {
    const before = owner.findings.length
    owner.run([batchOf([{ channel: 'temperature', value, takenAtUs: (fromMinute + index) * MINUTE_US }])])
    return owner.findings
      .slice(before)
      .map(({ body }) => String(body.state))
      .join('+')
  })
}

const T = 81
const F = 20
const HELD = { above: 80, for_ms: '2m', keep_firing_ms: '2m' }

test('an alert is pending, fires when the condition has held long enough, and fires on for a while', () => {
  assert.deepEqual(transitions(ownerOf(HELD), [T, T, T, F, F, F]), ['pending', '', 'firing', '', '', 'resolved'])
})

test('a condition that ends while pending clears the alert, and the next one is a new one', () => {
  const owner = ownerOf(HELD)
  assert.deepEqual(transitions(owner, [T, F, T]), ['pending', 'cleared', 'pending'])
  assert.deepEqual(
    owner.findings.map(({ key, revision }) => `${key} ${revision}`),
    ['alert/hot/d/temperature/0 0', 'alert/hot/d/temperature/0 1', `alert/hot/d/temperature/${2 * MINUTE_US} 0`],
  )
})

test('a condition that comes back while it fires on starts that time anew', () => {
  const told = transitions(ownerOf(HELD), [T, T, T, F, T, F, F, F])
  assert.deepEqual(told, ['pending', '', 'firing', '', '', '', '', 'resolved'])
})

test('with a reset value the condition holds until the value comes back to it', () => {
  const told = transitions(ownerOf({ above: 80, reset: 70 }), [81, 75, 79, 69])
  assert.deepEqual(told, ['firing', '', '', 'resolved'])
  const below = transitions(ownerOf({ below: 3, reset: 4 }), [2.9, 3.5, 4, 3.5])
  assert.deepEqual(below, ['firing', '', 'resolved', ''])
})

test('the threshold itself is not above the threshold', () => {
  assert.deepEqual(transitions(ownerOf({ above: 80 }), [80, 80.1, 80]), ['', 'firing', 'resolved'])
})

test('a restart while pending keeps the time since when', () => {
  const owner = ownerOf(HELD)
  assert.deepEqual(transitions(owner, [T, T]), ['pending', ''])
  owner.checkpoint()
  owner.crash()
  assert.deepEqual(transitions(owner, [T], 2), ['firing'])
  assert.equal(owner.findings.at(-1)?.key, 'alert/hot/d/temperature/0')
  assert.equal(owner.findings.at(-1)?.revision, 1)
})

test('a rule keeps its state when others come, go or change around it', () => {
  const hot = { name: 'hot', channel: 'temperature', ...HELD }
  const owner = new ShardOwner([specOf(TYPE, { rules: [hot, { name: 'cold', channel: 'temperature', below: 21 }] })])
  assert.deepEqual(transitions(owner, [F, T]), ['firing', 'pending+resolved'])
  owner.checkpoint()
  const successor = new ShardOwner([
    specOf(TYPE, { rules: [{ name: 'cold', channel: 'temperature', below: -5 }, hot] }),
  ])
  for (const [key, row] of owner.rows) successor.rows.set(key, row)
  const reply = successor.run([])
  assert.deepEqual(reply.restarted, { [TYPE]: 1 })
  assert.deepEqual(transitions(successor, [T, T], 2), ['', 'firing'])
})

test('a device clock that goes back neither delays nor resolves an alert', () => {
  const owner = ownerOf(HELD)
  assert.deepEqual(transitions(owner, [T, T], 1000), ['pending', ''])
  // An hour back: two more minutes are two more minutes.
  assert.deepEqual(transitions(owner, [T, T], 940), ['', 'firing'])
})

test('a clock that goes back within one run does the same', () => {
  const owner = ownerOf({ above: 80, for_ms: '5m' })
  // One, two and three minutes forward are six; the hour back between them does not count.
  const minutes = [1000, 1001, 941, 943, 940, 943]
  owner.run([batchOf(minutes.map((minute) => ({ channel: 'temperature', value: T, takenAtUs: minute * MINUTE_US })))])
  assert.deepEqual(
    owner.findings.map(({ atUs, body }) => [body.state, atUs / MINUTE_US]),
    [['firing', 943]],
  )
})

test('a clock set by years fires no alert that was merely pending', () => {
  const owner = ownerOf({ ...HELD, for_ms: '2h' })
  assert.deepEqual(transitions(owner, [T, T]), ['pending', ''])
  const told = transitions(owner, new Array(15).fill(T), 40 * 365 * 1440)
  assert.deepEqual([...new Set(told)], [''])
})

test('a rule may watch one device only, and rules without threshold cross no other channel', () => {
  const owner = ownerOf({ above: 80, device: 'roof' })
  owner.run([
    batchOf([
      { device: 'cellar', channel: 'temperature', value: 99, takenAtUs: 1 },
      { device: 'roof', channel: 'humidity', value: 99, takenAtUs: 1 },
      { device: 'roof', channel: 'temperature', value: 99, takenAtUs: 1 },
    ]),
  ])
  assert.deepEqual(
    owner.findings.map(({ key }) => key),
    ['alert/hot/roof/temperature/1'],
  )
})

test('without rules the thresholds of the original system hold', () => {
  const owner = new ShardOwner([specOf(TYPE)])
  const values = {
    temperature: [80.5, -20.5, 30],
    humidity: [95.5, 50],
    voltage: [2.7, 3],
    current: [2.1, 1],
    pressure: [9e9],
  }
  const samples = Object.entries(values).flatMap(([channel, list]) =>
    list.map((value, index) => ({ channel, value, takenAtUs: index })),
  )
  owner.run([batchOf(samples)])
  assert.deepEqual([...new Set(owner.findings.map(({ body }) => body.rule))].sort(), [
    'current_high',
    'humidity_high',
    'temperature_high',
    'temperature_low',
    'voltage_low',
  ])
})

test('transitions of one alert within a run are told once, by the last', () => {
  const owner = ownerOf(HELD)
  const minutes = [T, T, T, F, F, F].map((value, minute) => ({
    channel: 'temperature',
    value,
    takenAtUs: minute * MINUTE_US,
  }))
  owner.run([batchOf(minutes)])
  assert.deepEqual(
    owner.findings.map(({ revision, body }) => `${body.state} ${revision}`),
    ['resolved 2'],
  )
})

test('a signal that flutters is told of at a bounded rate, but never fires on in silence', () => {
  const owner = ownerOf({ above: 80 })
  const fluttering = Array.from({ length: 10_000 }, (_, i) => ({
    channel: 'temperature',
    value: i % 2 ? T : F,
    takenAtUs: i,
  }))
  owner.run([batchOf(fluttering)])
  const keys = new Set(owner.findings.map(({ key }) => key))
  assert.ok(keys.size <= 20 + 100, `${keys.size} alerts`)
  assert.ok(owner.findings.some(({ body }) => (body.unreportedBefore as number) > 0))
  const staying = Array.from({ length: 200 }, (_, i) => ({ channel: 'temperature', value: T, takenAtUs: 10_000 + i }))
  owner.run([batchOf(staying)])
  assert.equal(owner.findings.at(-1)?.body.state, 'firing')
  assert.ok((owner.findings.at(-1)?.atUs ?? 0) >= 10_000)
})
