import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Packr, pack } from 'msgpackr'
import { formatTask, MAX_TASK_BYTES, parseReading, parseTask } from '#core/codec/task-json'
import type { TelemetryTask } from '#core/model/task'
import { findSeedShapeProblem, isSeedShaped } from '#test/support/seed-shape'

const NOW_US = 1_750_000_000_123_456
const TAKEN_US = Date.UTC(2025, 11, 26, 10, 30) * 1000

/** The example of the seed document, to the letter. */
const SEED = {
  id: '550e8400-e29b-41d4-a716-446655440000',
  type: 'telemetry.analyze',
  payload: {
    device_id: 'sensor_001',
    timestamp: '2025-12-26T10:30:00Z',
    temperature: 23.5,
    humidity: 65.2,
    pressure: 1013.25,
    raw_data: 'base64_encoded_sensor_data',
  },
  priority: 'NORMAL',
  max_retries: 3,
}
const SEED_CHANNELS = [
  { channel: 'temperature', unit: 'celsius', value: 23.5 },
  { channel: 'humidity', unit: 'percent', value: 65.2 },
  { channel: 'pressure', unit: 'hPa', value: 1013.25 },
]
/** As the original code serialises it. */
const ORIGINAL = {
  created_at: 1_766_745_000,
  id: '2931e19f-0b3c-4a58-9a5e-0d7a3a1f2b4c',
  max_retries: 3,
  payload: '{"device_id":"sensor_001","voltage":3.3}',
  priority: 0,
  retry_count: 0,
  status: 0,
  type: 'telemetry.analyze',
  updated_at: 1_766_745_000,
  worker_id: '',
}
/** The body of the original's load test. */
const LOAD_TEST = {
  device_id: 'sensor-7',
  type: 'co2',
  value: 417.5,
  unit: 'ppm',
  priority: 'HIGH',
  timestamp: '2025-12-26T10:30:00.000Z',
  metadata: { location: 'zone-0', firmware_version: '2.3.1' },
}

function parse(task: unknown): TelemetryTask {
  return parseTask(Buffer.from(JSON.stringify(task)), NOW_US)
}

function withPayload(change: Record<string, unknown>): unknown {
  return { ...SEED, payload: { ...SEED.payload, ...change } }
}

test('the seed’s own example is read, its placeholder for raw bytes included', () => {
  const task = parse(SEED)
  assert.deepEqual(
    { ...task, raw: undefined },
    {
      id: SEED.id,
      type: 'telemetry.analyze',
      priority: 1,
      maxRetries: 3,
      device: 'sensor_001',
      takenAtUs: TAKEN_US,
      sequence: 0,
      channels: SEED_CHANNELS,
      raw: undefined,
    },
  )
  assert.deepEqual(task.raw, Uint8Array.from(Buffer.from(SEED.payload.raw_data, 'base64url')))
})

test('the original code’s dialect is read: payload as text, priority as number, times in seconds', () => {
  const task = parse(ORIGINAL)
  assert.deepEqual(task.channels, [{ channel: 'voltage', unit: 'volt', value: 3.3 }])
  assert.deepEqual([task.priority, task.maxRetries, task.device], [0, 3, 'sensor_001'])
  assert.equal(task.takenAtUs, TAKEN_US, 'the time of the task stands in for the missing time of the reading')
})

test('the load test’s body is read as a payload and on its own', () => {
  const expected = [{ channel: 'co2', unit: 'ppm', value: 417.5 }]
  const task = parse({ type: 'telemetry.store', payload: LOAD_TEST })
  assert.deepEqual([task.channels, task.priority, task.takenAtUs], [expected, 0, TAKEN_US])
  const { priority, ...reading } = parseReading(LOAD_TEST, NOW_US)
  assert.deepEqual(reading, {
    device: 'sensor-7',
    takenAtUs: TAKEN_US,
    sequence: 0,
    channels: expected,
    raw: undefined,
  })
  assert.equal(priority, 0)
  const motion = parseReading({ device_id: 'd', type: 'motion', value: true, unit: 'boolean' }, NOW_US)
  assert.deepEqual(motion.channels, [{ channel: 'motion', unit: 'boolean', value: 1 }])
  const known = parseReading({ device_id: 'd', type: 'humidity', value: 40 }, NOW_US)
  assert.deepEqual(known.channels, [{ channel: 'humidity', unit: 'percent', value: 40 }])
})

test('a bare seed payload is a reading', () => {
  const reading = parseReading({ ...SEED.payload, sequence_id: 12, note: 'x', battery: 3 }, NOW_US)
  assert.equal(reading.sequence, 12)
  assert.equal(reading.priority, undefined)
  assert.deepEqual(reading.channels, [...SEED_CHANNELS, { channel: 'battery', unit: '', value: 3 }])
})

test('every dialect is also read as msgpack', () => {
  for (const task of [SEED, ORIGINAL, { ...SEED, payload: LOAD_TEST }]) {
    assert.deepEqual(parseTask(pack(task), NOW_US), parse(task))
  }
  const native = {
    ...SEED,
    payload: { ...SEED.payload, timestamp: new Date(TAKEN_US / 1000), raw_data: Buffer.of(1, 2) },
  }
  const task = parseTask(pack(native), NOW_US)
  assert.equal(task.takenAtUs, TAKEN_US)
  assert.deepEqual(task.raw, Uint8Array.of(1, 2))
})

test('what is absent or null takes its default', () => {
  const task = parse({ type: 'mine', payload: { device_id: 'd', level: 4, timestamp: null }, id: null, priority: null })
  assert.match(task.id, /^[0-9a-f-]{36}$/)
  assert.deepEqual([task.type, task.priority, task.maxRetries, task.takenAtUs], ['mine', 1, 3, NOW_US])
  assert.deepEqual(task.channels, [{ channel: 'level', unit: '', value: 4 }])
})

test('times are taken as ISO 8601 and as seconds, milliseconds or microseconds, told apart by magnitude', () => {
  const seconds = TAKEN_US / 1e6
  const spellings = [
    '2025-12-26T10:30:00Z',
    '2025-12-26T10:30:00',
    '2025-12-26 10:30',
    '2025-12-26T11:30:00+01:00',
    '2025-12-26T10:30:00.000000Z',
    seconds,
    seconds * 1e3,
    seconds * 1e6,
    `${seconds}`,
    `${seconds * 1e3}`,
    `${seconds * 1e6}`,
    `${seconds}.000`,
  ]
  for (const timestamp of spellings) assert.equal(parse(withPayload({ timestamp })).takenAtUs, TAKEN_US, `${timestamp}`)
  assert.equal(parse(withPayload({ timestamp: seconds + 0.25 })).takenAtUs, TAKEN_US + 250_000)
  assert.equal(parse(withPayload({ timestamp: 631_152_000 })).takenAtUs, Date.UTC(1990, 0, 1) * 1000)
  const refused = [
    631_151_999,
    4_102_444_800,
    0,
    -1,
    1e18,
    '1989-12-31T23:59:59Z',
    '2100-01-01',
    'yesterday',
    '',
    '2025-02-30',
    true,
    {},
  ]
  for (const timestamp of refused) {
    const message = /^Task: payload\.timestamp .*; it must be ISO 8601/
    assert.throws(() => parse(withPayload({ timestamp })), { code: 'TLM_TASK_INVALID', message }, `${timestamp}`)
  }
})

test('each field that is missing or wrong is named, with what was found and how it must be', () => {
  const { type: _type, ...noType } = SEED
  const { payload: _payload, ...noPayload } = SEED
  const { device_id: _device, ...noDevice } = SEED.payload
  const many = Object.fromEntries(Array.from({ length: 62 }, (_, n) => [`c${n}`, n]))
  const wrong: [unknown, string, RegExp][] = [
    [noType, 'type', /is missing; it must be a text of 1 to 64/],
    [{ ...SEED, type: '' }, 'type', /is ""/],
    [{ ...SEED, type: 't'.repeat(65) }, 'type', /text of 65 characters/],
    [{ ...SEED, type: 5 }, 'type', /is 5/],
    [{ ...SEED, id: 5 }, 'id', /is 5/],
    [{ ...SEED, id: 'i'.repeat(129) }, 'id', /129/],
    [{ ...SEED, priority: 'URGENT' }, 'priority', /is "URGENT"; it must be HIGH/],
    [{ ...SEED, priority: 3 }, 'priority', /is 3/],
    [{ ...SEED, max_retries: -1 }, 'max_retries', /is -1; it must be a whole number from 0/],
    [{ ...SEED, max_retries: '3' }, 'max_retries', /is "3"/],
    [{ ...ORIGINAL, created_at: 'soon' }, 'created_at', /is "soon"/],
    [noPayload, 'payload', /is missing; it must be an object/],
    [{ ...SEED, payload: [1] }, 'payload', /is a list/],
    [{ ...SEED, payload: 'not json' }, 'payload', /is "not json"; it must be JSON/],
    [{ ...SEED, payload: '[1]' }, 'payload', /is a list/],
    [{ ...SEED, payload: noDevice }, 'payload.device_id', /is missing/],
    [withPayload({ device_id: '' }), 'payload.device_id', /is ""/],
    [withPayload({ device_id: 7 }), 'payload.device_id', /is 7/],
    [withPayload({ device_id: 'd'.repeat(129) }), 'payload.device_id', /129/],
    [withPayload({ device_id: '\ud800' }), 'payload.device_id', /ud800/],
    [withPayload({ temperature: 'warm' }), 'payload.temperature', /is "warm"; it must be a finite number/],
    [withPayload({ temperature: null }), 'payload.temperature', /is null/],
    [withPayload({ humidity: '65' }), 'payload.humidity', /is "65"/],
    [withPayload({ pressure: [1] }), 'payload.pressure', /is a list/],
    [withPayload({ current: true }), 'payload.current', /is true/],
    [withPayload({ value: 'x' }), 'payload.value', /is "x"/],
    [withPayload({ value: true }), 'payload.value', /is true/],
    [withPayload({ value: 1, type: 5 }), 'payload.type', /is 5/],
    [withPayload({ value: 1, type: 'temperature' }), 'payload.type', /a field of its own/],
    [withPayload({ value: 1, unit: 'u'.repeat(33) }), 'payload.unit', /1 to 32/],
    [withPayload({ sequence: -1 }), 'payload.sequence', /is -1/],
    [withPayload({ sequence_id: 2 ** 32 }), 'payload.sequence_id', /is 4294967296/],
    [withPayload({ priority: 'x' }), 'payload.priority', /is "x"/],
    [withPayload({ raw_data: '?' }), 'payload.raw_data', /must be base64/],
    [withPayload({ raw_data: 'AAAAA' }), 'payload.raw_data', /must be base64/],
    [withPayload({ raw_data: 5 }), 'payload.raw_data', /is 5; it must be base64/],
    [withPayload({ raw_data: Buffer.alloc(4097).toString('base64') }), 'payload.raw_data', /4097 bytes/],
    [withPayload(many), 'payload.c61', /is one channel more than the 64/],
    [withPayload({ ['k'.repeat(65)]: 1 }), `the name of payload.${'k'.repeat(64)}`, /65 characters/],
    [{ ...SEED, payload: { device_id: 'd', note: 'x' } }, 'payload.temperature', /another channel must be there/],
  ]
  for (const [task, field, message] of wrong) {
    assert.throws(
      () => parse(task),
      (error: { code: string; message: string; details: { field: string } }) => {
        assert.equal(error.code, 'TLM_TASK_INVALID')
        assert.equal(error.details.field, field)
        assert.match(error.message, message)
        assert.ok(error.message.startsWith(`Task: ${field} is `), error.message)
        return true
      },
      `${field}: ${message}`,
    )
  }
})

test('numbers that are not finite are refused by field, in JSON as in msgpack', () => {
  const infinite = Buffer.from(JSON.stringify(SEED).replace('23.5', '1e999'))
  assert.throws(() => parseTask(infinite, NOW_US), { message: /payload\.temperature is Infinity/ })
  const nan = pack(withPayload({ level: Number.NaN }))
  assert.throws(() => parseTask(nan, NOW_US), { message: /payload\.level is NaN/ })
})

test('bodies that are no task are refused without harm', () => {
  const bodies: Record<string, Uint8Array> = {
    empty: Buffer.of(),
    'not JSON': Buffer.from('hello'),
    'half of it': Buffer.from(JSON.stringify(SEED).slice(0, -5)),
    'a JSON list': Buffer.from('[]'),
    'a JSON null': Buffer.from('null'),
    'not UTF-8': Buffer.from('{"type":"\xff"}', 'latin1'),
    'nested lists': Buffer.alloc(MAX_TASK_BYTES, '['),
    'nested payload': Buffer.from(`{"type":"t","payload":"${'['.repeat(60_000)}"}`),
    'nested msgpack': Buffer.concat([Buffer.of(0x81, 0xa1, 0x61), Buffer.alloc(60_000, 0x91)]),
    'msgpack map32 of 4 billion': Buffer.from('dfffffffff', 'hex'),
    'a msgpack record': new Packr().pack(SEED),
    'a msgpack list': pack([SEED]),
  }
  for (const [name, body] of Object.entries(bodies)) {
    assert.throws(() => parseTask(body, NOW_US), { code: 'TLM_TASK_INVALID' }, name)
  }
  assert.throws(() => parseTask(bodies['nested msgpack'], NOW_US), { message: /nested deeper than 16/ })
  const packed = pack(SEED)
  for (let length = 0; length < packed.length; length++) {
    assert.throws(() => parseTask(packed.subarray(0, length), NOW_US), { code: 'TLM_TASK_INVALID' }, `${length} bytes`)
  }
})

test('64 KiB are read, one byte more is not', () => {
  const padding = MAX_TASK_BYTES - JSON.stringify({ ...SEED, note: '' }).length
  assert.equal(parse({ ...SEED, note: 'x'.repeat(padding) }).device, 'sensor_001')
  assert.throws(() => parse({ ...SEED, note: 'x'.repeat(padding + 1) }), { message: /at most 65536 bytes/ })
})

test('a body for REST is refused by the same rules, with its own field names', () => {
  assert.throws(() => parseReading({ temperature: 1 }, NOW_US), {
    details: { field: 'device_id', found: 'is missing' },
  })
  for (const body of [undefined, null, 'text', 5, [], Buffer.of(1)]) {
    assert.throws(() => parseReading(body, NOW_US), { code: 'TLM_TASK_INVALID', message: /^Task: the body is / })
  }
})

test('a task is written in the seed’s shape and order, and read back', () => {
  const task: TelemetryTask = {
    ...parse(SEED),
    channels: [
      { channel: 'co2', unit: '', value: 400 },
      { channel: '7', unit: '', value: -1.5e-7 },
      ...SEED_CHANNELS.toReversed(),
    ],
    raw: Uint8Array.of(255, 0),
    takenAtUs: TAKEN_US + 1500,
  }
  const line = formatTask(task)
  assert.equal(
    line,
    '{"id":"550e8400-e29b-41d4-a716-446655440000","type":"telemetry.analyze","payload":{"device_id":"sensor_001",' +
      '"timestamp":"2025-12-26T10:30:00.001500Z","temperature":23.5,"humidity":65.2,"pressure":1013.25,"co2":400,' +
      '"7":-1.5e-7,"raw_data":"/wA="},"priority":"NORMAL","max_retries":3}',
  )
  const back = parseTask(Buffer.from(line), NOW_US)
  assert.deepEqual(new Set(back.channels), new Set(task.channels))
  assert.deepEqual({ ...back, channels: [] }, { ...task, channels: [] })
})

test('written without raw bytes, the seed’s example is the seed’s example', () => {
  const { raw_data: _, ...payload } = SEED.payload
  const line = JSON.stringify({ ...SEED, payload })
  assert.equal(formatTask(parseTask(Buffer.from(line), NOW_US)), line)
  assert.equal(findSeedShapeProblem(line), undefined)
})

test('a reading that the seed’s shape cannot hold is refused by channel', () => {
  const task = parse(SEED)
  for (const channels of [
    [{ channel: 'timestamp', unit: '', value: 1 }],
    [SEED_CHANNELS[0], { ...SEED_CHANNELS[0], unit: 'kelvin' }],
    [{ channel: 'temperature', unit: '', value: Number.NaN }],
  ]) {
    const field = `payload.${channels[0].channel}`
    assert.throws(() => formatTask({ ...task, channels }), { code: 'TLM_TASK_INVALID', message: new RegExp(field) })
  }
})

test('the checker of the seed’s shape accepts nothing else', () => {
  const { id, ...withoutId } = SEED
  const { humidity: _, ...rest } = SEED.payload
  const others = [
    ORIGINAL,
    { ...SEED, extra: 1 },
    { ...withoutId, id },
    { ...SEED, id: 'x' },
    { ...SEED, type: 'compute' },
    { ...SEED, priority: 1 },
    { ...SEED, priority: 'MEDIUM' },
    { ...SEED, max_retries: -1 },
    { ...SEED, payload: JSON.stringify(SEED.payload) },
    { ...SEED, payload: { ...rest, humidity: 1 } },
    withPayload({ timestamp: '2025-12-26 10:30:00' }),
    withPayload({ temperature: '23.5' }),
    withPayload({ raw_data: 'a' }),
    { ...SEED, payload: { device_id: 'd', timestamp: SEED.payload.timestamp } },
  ]
  for (const task of others) assert.equal(isSeedShaped(JSON.stringify(task)), false, JSON.stringify(task))
})
