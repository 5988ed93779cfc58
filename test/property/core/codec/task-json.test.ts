import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Packr } from 'msgpackr'
import { formatTask, parseReading, parseTask } from '#core/codec/task-json'
import { TelemetryError } from '#core/errors/telemetry-error'
import type { TelemetryTask } from '#core/model/task'
import { findSeedShapeProblem } from '#test/support/seed-shape'

const NOW_US = 1_750_000_000_000_000
const UNITS = new Map([
  ['temperature', 'celsius'],
  ['humidity', 'percent'],
  ['pressure', 'hPa'],
])
const OWN_FIELDS = [
  'device_id',
  'timestamp',
  'raw_data',
  'sequence_id',
  'sequence',
  'type',
  'unit',
  'priority',
  'metadata',
]
const packr = new Packr({ useRecords: false })

const name = fc
  .oneof(
    fc.constantFrom('temperature', 'humidity', 'pressure', 'value', '0', '__proto__', 'constructor'),
    fc.string({ minLength: 1, maxLength: 64 }),
  )
  .filter((text) => !OWN_FIELDS.includes(text))

const task: fc.Arbitrary<TelemetryTask> = fc.record({
  id: fc.uuid({ version: 4 }),
  type: fc.constantFrom('telemetry.analyze', 'telemetry.mine'),
  priority: fc.constantFrom(0, 1, 2),
  maxRetries: fc.nat(1000),
  device: fc.string({ minLength: 1, maxLength: 128 }),
  takenAtUs: fc.integer({ min: Date.UTC(1990) * 1000, max: Date.UTC(2100) * 1000 - 1 }),
  sequence: fc.constant(0),
  channels: fc
    .uniqueArray(fc.tuple(name, fc.double({ noNaN: true, noDefaultInfinity: true })), {
      selector: ([channel]) => channel,
      minLength: 1,
      maxLength: 12,
    })
    .map((pairs) =>
      pairs.map(([channel, value]) => ({ channel, unit: UNITS.get(channel) ?? '', value: value === 0 ? 0 : value })),
    ),
  raw: fc.option(fc.uint8Array({ minLength: 1, maxLength: 60 }), { nil: undefined }),
})

test('a written task has the seed’s shape and is read back as it was', () => {
  fc.assert(
    fc.property(task, (written) => {
      const line = formatTask(written)
      assert.equal(findSeedShapeProblem(line), undefined)
      const read = parseTask(Buffer.from(line), NOW_US)
      const byName = (a: { channel: string }, b: { channel: string }) => (a.channel < b.channel ? -1 : 1)
      assert.deepEqual(read.channels.toSorted(byName), written.channels.toSorted(byName))
      assert.deepEqual({ ...read, channels: [] }, { ...written, channels: [] })
    }),
    { numRuns: 500 },
  )
})

/** Anything, but with the fields that are looked at more often than chance would give them. */
const field = fc.constantFrom('id', 'payload', 'max_retries', 'created_at', 'temperature', 'value', ...OWN_FIELDS)
const anything = fc.oneof(
  fc.dictionary(fc.oneof(field, fc.string()), fc.oneof(fc.jsonValue(), fc.dictionary(field, fc.jsonValue())), {
    noNullPrototype: true,
  }),
  fc.jsonValue(),
)

function assertReadOrRefused(
  read: () => { device: string; takenAtUs: number; channels: readonly { value: number }[] },
): void {
  try {
    const { device, takenAtUs, channels } = read()
    assert.ok(device.length > 0 && Number.isSafeInteger(takenAtUs) && channels.length > 0)
    assert.ok(channels.every(({ value }) => Number.isFinite(value)))
  } catch (error) {
    if (!(error instanceof TelemetryError)) throw error
    assert.equal(error.code, 'TLM_TASK_INVALID')
    assert.ok(error.message.length < 400, error.message)
  }
}

test('whatever JSON or msgpack comes is read as a task or refused as one', () => {
  fc.assert(
    fc.property(anything, (value) => {
      const task = { type: 't', payload: value }
      for (const body of [
        Buffer.from(JSON.stringify(value)),
        Buffer.from(JSON.stringify(task)),
        packr.pack(value),
        packr.pack(task),
      ]) {
        assertReadOrRefused(() => parseTask(body, NOW_US))
      }
      assertReadOrRefused(() => parseReading(value, NOW_US))
    }),
    { numRuns: 2000 },
  )
})

test('whatever bytes come are read as a task or refused as one', () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.tuple(task, fc.nat(), fc.nat(255), fc.boolean()).map(([valid, at, byte, asJson]) => {
      const line = formatTask(valid)
      const body = Uint8Array.from(asJson ? Buffer.from(line) : packr.pack(JSON.parse(line)))
      body[at % body.length] = byte
      return body
    }),
  )
  fc.assert(
    fc.property(bytes, (body) => assertReadOrRefused(() => parseTask(body, NOW_US))),
    { numRuns: 3000 },
  )
})
