import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { Packr, unpack } from 'msgpackr'
import { BatchDecoder, BatchEncoder } from '#core/codec/batch-codec'
import { TelemetryError } from '#core/errors/telemetry-error'
import { allRows, channelsOf, columnsOf, rowsOf, steadyRows } from '#test/support/sample-rows'
import type { DecodeAnswer } from './decode-thread.js'

const MALFORMED = { code: 'TLM_BATCH_UNREADABLE', class: 'malformed' }
const packr = new Packr({ useRecords: false })

function sealed(): Uint8Array {
  const rows = steadyRows(20, 3)
  rows[4].raw = Uint8Array.of(1, 2, 3)
  rows[9].raw = Uint8Array.of(4)
  rows[5].quality = 3
  return new BatchEncoder().encode(
    { producer: 'hub-1.r0', epoch: 1.7e15, seq: 3 },
    channelsOf('roof', 3),
    columnsOf(rows),
    allRows(60),
    0,
    60,
    65_300,
  ).body
}

/** The valid batch with one of its items replaced: fit to travel, wrong inside. */
function withItem(path: readonly number[], item: unknown): Uint8Array {
  const fields = unpack(sealed()) as unknown[]
  let parent = fields
  for (const step of path.slice(0, -1)) parent = parent[step] as unknown[]
  parent[path[path.length - 1]] = item
  return packr.pack(fields)
}

function outcomeOf(body: Uint8Array): { code: string; class: unknown; message: string } | undefined {
  try {
    new BatchDecoder().decode(body)
    return undefined
  } catch (error) {
    assert.ok(error instanceof TelemetryError, `a foreign error: ${error}`)
    return { code: error.code, class: error.details.class, message: error.message }
  }
}

function assertMalformed(body: Uint8Array, message: RegExp, label: string): void {
  const outcome = outcomeOf(body)
  assert.ok(outcome !== undefined, `${label} was accepted`)
  assert.deepEqual({ code: outcome.code, class: outcome.class }, MALFORMED, label)
  assert.match(outcome.message, message, label)
}

test('a batch that another msgpack writer has packed anew is read as well', () => {
  const body = sealed()
  const repacked = packr.pack(unpack(body))
  assert.notDeepEqual([...repacked], [...body])
  const expected = rowsOf(new BatchDecoder().decode(body))
  assert.deepEqual(rowsOf(new BatchDecoder().decode(repacked)), expected)
})

test('integers are taken in every form msgpack has for them', () => {
  const body = sealed()
  const at = 1 + 1 + 9 + 9 // the seq
  assert.equal(body[at], 0xcb)
  const forms = ['03', 'cc03', 'cd0003', 'ce00000003', 'cf0000000000000003', 'd003', 'd10003', 'd200000003']
  for (const form of [...forms, 'd30000000000000003']) {
    const changed = Buffer.concat([body.subarray(0, at), Buffer.from(form, 'hex'), body.subarray(at + 9)])
    assert.equal(new BatchDecoder().decode(changed).seq, 3, form)
  }
  const negative = Buffer.concat([
    body.subarray(0, at),
    Buffer.from('d3ffffffffffffffff', 'hex'),
    body.subarray(at + 9),
  ])
  assertMalformed(negative, /found -1/, 'a negative seq')
})

test('a batch of a newer version is told apart from a damaged one', () => {
  const unknown = { code: 'TLM_BATCH_UNREADABLE', details: { class: 'unknown-version', version: 2 } }
  assert.throws(() => new BatchDecoder().decode(withItem([0], 2)), unknown)
  assert.throws(() => new BatchDecoder().decode(packr.pack([2, { anything: [[[1]]] }])), unknown)
  assert.throws(() => new BatchDecoder().decode(packr.pack([0])), { details: { class: 'unknown-version', version: 0 } })
  for (const garbage of ['', '00', '90', 'c0', '93', '9301', '80', 'ff', '91cb3ff8000000000000', '9101', '91a132']) {
    assertMalformed(Buffer.from(garbage, 'hex'), /./, garbage)
  }
})

test('a batch cut off anywhere is refused, and so is one with bytes after its end', () => {
  const body = sealed()
  for (let length = 0; length < body.length; length++) {
    assertMalformed(body.subarray(0, length), /./, `${length} of ${body.length} bytes`)
  }
  assertMalformed(Buffer.concat([body, Buffer.of(0)]), /more bytes follow/, 'one byte more')
})

test('every single wrong byte gives a readable batch or a refusal', () => {
  const body = sealed()
  for (let at = 0; at < body.length; at++) {
    const whole = body[at]
    for (const value of [0x00, 0x7f, 0x80, 0xc1, 0xc6, 0xdd, 0xff, whole ^ 1, whole ^ 0x80]) {
      body[at] = value
      const outcome = outcomeOf(body)
      assert.ok(outcome === undefined || outcome.code === 'TLM_BATCH_UNREADABLE', `byte ${at} = ${value}`)
    }
    body[at] = whole
  }
})

test('what is well-formed but contradicts itself is refused with the reason', () => {
  const doubles = (...numbers: number[]) => Buffer.from(Float64Array.from(numbers).buffer)
  const wrong: [readonly number[], unknown, RegExp][] = [
    [[1], 'p'.repeat(129), /producer has 129 characters/],
    [[1], 5, /a string was expected/],
    [[2], -1, /epoch must be/],
    [[3], 1.5, /seq must be/],
    [[3], 'x', /a number was expected/],
    [[4], [], /dictionary of 0 entries/],
    [[4], 'x', /an array was expected/],
    [[4, 0], ['d', 'c'], /array of 3/],
    [[4, 0, 0], 'd'.repeat(129), /too long/],
    [[4, 0, 1], 'c'.repeat(65), /too long/],
    [[4, 0, 2], 'u'.repeat(33), /too long/],
    [[4, 0, 2], 1, /a string was expected/],
    [[5], 2, /number of samples/], // fewer than the dictionary has entries
    [[5], 65_537, /number of samples/],
    [[5], 61, /series indices must have 61 bytes/],
    [[6], Buffer.alloc(60, 3), /series index 3/],
    [[6], 'x', /binary was expected/],
    [[7], [20], /array of 2/],
    [[7, 0], 0, /number of readings/],
    [[7, 0], 61, /number of readings/],
    [[7, 0], 19, /lengths have 20 bytes for 19/],
    [[7, 1], Buffer.alloc(20, 3), /readings of 80 samples/],
    [[7, 1], Buffer.alloc(20, 1), /readings of 40 samples/],
    [[7, 1], Buffer.alloc(0), /20 readings of one sample/],
    [[7, 1], Buffer.alloc(80, 0), /lengths have 80 bytes/],
    [[8, 0], 2 ** 53, /first time must be/],
    [[8, 0], Number.NaN, /first time must be/],
    [[8, 1], 0.5, /time step must be/],
    [[8, 1], Number.MAX_SAFE_INTEGER, /a time is not/],
    [[8, 2], Buffer.alloc(21), /times have 21 bytes/],
    [[8, 2], Buffer.alloc(60), /times have 60 bytes/],
    [[8, 2], doubles(...new Array(19).fill(1), 1.5), /a time is not/],
    [[9, 0], Buffer.alloc(8), /first sequences must have 4 bytes/],
    [[9, 1], 2 ** 32, /sequence step/],
    [[9, 2], Buffer.alloc(160), /sequences have 160 bytes/],
    [[10, 0], Buffer.alloc(0), /quality runs have 6 bytes for 1/],
    [[10, 0], Buffer.of(0, 8, 0), /quality is unknown/],
    [[10, 1], Buffer.alloc(0), /qualities of 3 samples/],
    [[10, 1], Buffer.alloc(6, 255), /qualities of/],
    [[10, 1], Buffer.alloc(5), /quality runs have 5 bytes/],
    [[10, 0], Buffer.alloc(61), /quality/],
    [[11, 0, 0], 60, /sample of raw bytes/],
    [[11, 1, 0], 4, /sample of raw bytes/], // twice the same
    [[11, 0, 1], Buffer.alloc(4097), /4097 raw bytes/],
    [[11, 0], [1], /array of 2/],
    [[13], doubles(...new Array(59).fill(1)), /values must have 480 bytes/],
    [[13], doubles(...new Array(59).fill(1), Number.NaN), /not finite/],
    [[13], doubles(Number.POSITIVE_INFINITY, ...new Array(59).fill(1)), /not finite/],
    [[14], 1, /15 fields/],
  ]
  for (const [path, item, message] of wrong) {
    assertMalformed(withItem(path, item), message, `field ${path.join('.')}: ${message}`)
  }
  assert.equal(outcomeOf(withItem([12], Buffer.alloc(3))), undefined, 'padding of any length is taken')
})

test('a name that is not UTF-8 is refused', () => {
  const body = Buffer.from(sealed())
  body.write('\xff', body.indexOf('channel-1'), 'latin1')
  assertMalformed(body, /not UTF-8/, 'channel')
  const producer = Buffer.from(sealed())
  producer.write('\xff', producer.indexOf('hub-1'), 'latin1')
  assertMalformed(producer, /not UTF-8/, 'producer')
})

test('bombs end as refusals in a thread with a heap of 16 MB, and cost no more memory than they are long', async (t) => {
  const worker = new Worker(new URL('./decode-thread.js', import.meta.url), {
    resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 4, stackSizeMb: 1 },
  })
  t.after(() => worker.terminate())
  const repeat = (hex: string, times: number) => Buffer.alloc((hex.length / 2) * times, Buffer.from(hex, 'hex'))
  const bombs: Record<string, Buffer> = {
    'nested array16 headers': repeat('dc0001', 24_000),
    'nested fixarrays': repeat('91', 1_000_000),
    'wide nested array16 headers': repeat('dcffff', 24_000),
    'nested maps': repeat('81a0', 100_000),
    'array32 of 4 billion': Buffer.from('ddffffffff', 'hex'),
    'map32 of 4 billion': Buffer.from('dfffffffff', 'hex'),
    'bin32 of 4 GB': Buffer.from('c6ffffffff', 'hex'),
    'str32 of 4 GB': Buffer.from('dbffffffff', 'hex'),
    'ext32 of 4 GB': Buffer.from('c9ffffffff01', 'hex'),
    'a million small arrays': Buffer.concat([Buffer.from('dd000f4240', 'hex'), repeat('90', 1_000_000)]),
    'two million nils': Buffer.concat([Buffer.from('dd001e8480', 'hex'), repeat('c0', 2_000_000)]),
    'a dictionary of a million names': Buffer.concat([
      Buffer.from('9e01a101010101dd000186a0'.replace('010101dd', '0101dd'), 'hex'),
      repeat('93a0a0a0', 100_000),
    ]),
    'count without samples': withItem([5], 65_536) as Buffer,
    'record extension': Buffer.from('9e01d4720091a161', 'hex'),
  }
  for (const [name, bomb] of Object.entries(bombs)) {
    worker.postMessage(bomb)
    const [answer] = (await once(worker, 'message')) as [DecodeAnswer]
    assert.deepEqual({ code: answer.code, class: answer.class }, MALFORMED, name)
    assert.ok(answer.bufferBytes <= 4 * bomb.length + 65_536, `${name}: ${answer.bufferBytes} bytes`)
  }
})
