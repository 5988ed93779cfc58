import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { systemClock } from '#core/time/clock'
import { createReplayDriver } from '#src/hub/drivers/replay/replay-driver'
import { REPLAY_DEFAULTS, type ReplayOptions } from '#src/hub/drivers/replay/replay-options'
import { RecordingSink } from '#test/support/recording-sink'
import { repositoryFile } from '#test/support/repository'

let dir = ''
before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'telemetryhub-replay-'))
})
after(() => rm(dir, { recursive: true }))

async function replay(options: Partial<ReplayOptions>, text?: string) {
  const sink = new RecordingSink()
  const path = options.path ?? join(dir, 'recording')
  if (text !== undefined) await writeFile(path, text)
  const fast = { ...REPLAY_DEFAULTS, speed: 'max', timestamps: 'recorded' } as const
  const driver = createReplayDriver(
    { ...fast, ...options, path },
    { device: 'd', sink, clock: systemClock, everyMs: 100 },
  )
  await driver.open()
  try {
    return { sink, outcome: await driver.run(new AbortController().signal), rejects: Object.fromEntries(sink.rejects) }
  } finally {
    await driver.close()
  }
}

test('the room climate recording gives its 505 readings at its instants', async () => {
  const { sink, outcome, rejects } = await replay({
    path: repositoryFile('deploy/recordings/room-climate.txt'),
    format: 'whitespace',
    hasHeader: false,
    fields: ['date', 'time', 'temperature', 'humidity'],
    time: { fields: ['date', 'time'], format: 'iso' },
  })
  assert.deepEqual([sink.readings.length, outcome, rejects], [505, 'ended', {}])
  assert.deepEqual(sink.readings[0].values, { temperature: 20.93, humidity: 50.22 })
  assert.equal(sink.readings[0].takenAtUs, Date.UTC(2015, 0, 9, 7, 30, 7) * 1000)
  assert.equal(sink.readings[504].takenAtUs, Date.UTC(2015, 0, 11, 1, 51, 1) * 1000)
})

for (const [file, field, channels] of [
  ['seattle-normals-head.csv', 'date', ['pressure', 'temperature', 'wind']],
  ['nab-ambient-head.csv', 'timestamp', ['value']],
] as const) {
  test(`${file} is read by its header alone`, async () => {
    const path = repositoryFile(`test/fixtures/recordings/${file}`)
    const { sink, rejects } = await replay({ path, time: { fields: [field], format: 'iso' } })
    assert.deepEqual([sink.readings.length, rejects], [200, {}])
    assert.deepEqual(
      sink.channels.map(({ channel }) => channel),
      channels,
    )
  })
}

test('bad rows are rejected by reason and line, and the rest goes on', async () => {
  const text = `t,v\n1000,1\n\nx,2\n2000,abc\n3000\n${'9'.repeat(5000)}\n4000,4`
  const { sink, rejects } = await replay({ time: { fields: ['t'], format: 'unix-s' } }, text)
  assert.deepEqual(
    sink.readings.map(({ values }) => values.v),
    [1, 4],
  )
  assert.deepEqual(rejects, { time_unreadable: 1, value_not_a_number: 1, field_count_wrong: 1, line_too_long: 1 })
  assert.match(sink.details[0], /line 4/)
  assert.match(sink.details[3], /line 7/)
})

test('speed divides the recorded time, and a capped gap is played short', async () => {
  const startedMs = performance.now()
  const time = { fields: ['t'], format: 'unix-s' } as const
  const options = { format: 'json', time, speed: 100, maxGapMs: 2000, timestamps: 'shifted' } as const
  const { sink } = await replay(options, '{"t":1000,"v":1}\n{"t":1001,"v":2}\n{"t":9001,"v":3}\n')
  assert.ok(performance.now() - startedMs >= 29)
  const [first, second, third] = sink.readings.map(({ takenAtUs }) => takenAtUs)
  assert.deepEqual([second - first, third - second], [10_000, 20_000])
})

test('a header without the wanted field says which fields there are', async () => {
  await assert.rejects(replay({ columns: [{ field: 'temp' }] }, 'time,temperature\n1,2\n'), {
    code: 'TLM_OPTIONS_INVALID',
    message: /no field temp; its header names time, temperature/,
  })
})

test('laps of a loop follow each other in time until stopped', async () => {
  const sink = new RecordingSink()
  const path = join(dir, 'loop')
  await writeFile(path, '1000,1\n1001,2\n')
  const time = { fields: ['t'], format: 'unix-s' } as const
  const options = { ...REPLAY_DEFAULTS, path, hasHeader: false, fields: ['t', 'v'], time, loop: true }
  const context = { device: 'd', sink, clock: systemClock, everyMs: 100 }
  const driver = createReplayDriver({ ...options, speed: 'max', timestamps: 'recorded' }, context)
  await driver.open()
  const abort = new AbortController()
  const done = driver.run(abort.signal)
  await sink.until(() => sink.readings.length >= 6)
  abort.abort()
  assert.equal(await done, 'stopped')
  await driver.close()
  assert.deepEqual(
    sink.readings.slice(0, 6).map(({ takenAtUs }) => takenAtUs / 1e6),
    [1000, 1001, 1002, 1003, 1004, 1005],
  )
})

test('a recording that is not there is an unavailable bus', async () => {
  await assert.rejects(replay({ path: join(dir, 'absent') }), { code: 'TLM_BUS_UNAVAILABLE', message: /absent/ })
})
