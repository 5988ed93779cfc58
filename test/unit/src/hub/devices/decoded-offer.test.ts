import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { QUALITY } from '#core/model/quality'
import { DecodedOffer } from '#src/hub/devices/decoded-offer'
import { RecordingSink } from '#test/support/recording-sink'

const CHANNELS = ['a', 'b', 'c'].map((name) => ({ name, quantity: name, unit: 'V' }))
const { good, sentinel, range } = QUALITY
const NEVER = new AbortController().signal

describe('decoded readings', () => {
  it('are handed in with the instants of their values, the raw bytes once', async () => {
    const sink = new RecordingSink()
    const offer = new DecodedOffer(sink, CHANNELS)
    const readings = [
      { ageUs: 2000, values: [1, 2, 3] },
      { ageUs: 0, values: [4, 5, 6] },
    ]
    assert.equal(await offer.offer(readings, 10_000, Buffer.from('raw'), NEVER), true)
    assert.deepEqual(sink.readings, [
      { takenAtUs: 8000, values: { a: 1, b: 2, c: 3 }, quality: good, raw: 'raw' },
      { takenAtUs: 10_000, values: { a: 4, b: 5, c: 6 }, quality: good, raw: undefined },
    ])
    assert.deepEqual(
      sink.channels.map(({ channel, unit }) => [channel, unit]),
      [
        ['a', 'V'],
        ['b', 'V'],
        ['c', 'V'],
      ],
    )
  })

  it('are split by quality, without what was not measured', async () => {
    const sink = new RecordingSink()
    const offer = new DecodedOffer(sink, CHANNELS)
    const reading = { ageUs: 0, values: Float64Array.of(1, 2, 3), quality: [sentinel, good, range] as const }
    await offer.offer([reading], 1000, undefined, NEVER)
    await offer.offer([{ ageUs: 0, values: [Number.NaN, 7, Number.NaN] }], 2000, undefined, NEVER)
    await offer.offer([{ ageUs: 0, values: [Number.NaN, Number.NaN, Number.NaN] }], 3000, undefined, NEVER)
    assert.deepEqual(
      sink.readings.map(({ values, quality }) => [values, quality]),
      [
        [{ b: 2 }, good],
        [{ c: 3 }, range],
        [{ a: 1 }, sentinel],
        [{ b: 7 }, good],
      ],
    )
  })

  it('wait for room, and are counted when the device is stopped meanwhile', async () => {
    const sink = new RecordingSink()
    sink.capacity = 1
    const offer = new DecodedOffer(sink, CHANNELS)
    const stop = new AbortController()
    const readings = [1, 2, 3].map((value) => ({ ageUs: 0, values: [value, value, value] }))
    const offered = offer.offer(readings, 1000, undefined, stop.signal)
    await sink.until(() => sink.refusals === 1)
    sink.makeRoom(1)
    await sink.until(() => sink.refusals === 2)
    stop.abort()
    assert.equal(await offered, false)
    assert.equal(sink.readings.length, 2)
    assert.deepEqual([...sink.rejects], [['stopped_while_full', 1]])
  })
})
