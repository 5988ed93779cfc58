import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { durationText, holdsText, SpoolSizing, sizeText, timeToFullS } from '#src/hub/spool/spool-sizing'

describe('how long a spool lasts', () => {
  it('is told once some seconds are measured', () => {
    const sizing = new SpoolSizing()
    for (let second = 0; second < 5; second++) sizing.look(second * 1000, second * 42, second * 462)
    assert.equal(sizing.rate, undefined)
    sizing.look(5000, 5 * 42, 5 * 462)
    assert.deepEqual(sizing.rate, { bytesPerSecond: 462, samplesPerSecond: 42, bytesPerSample: 11 })
    assert.equal(holdsText(sizing.rate!, 64 * 2 ** 20), '64 MiB holds 40 h 20 min at this rate (11.0 B a sample)')
    assert.equal(timeToFullS(sizing.rate!, 462, 1386), 2)
    assert.equal(timeToFullS(sizing.rate!, 2000, 1386), 0)
  })

  it('follows the last minute, and is unknown while nothing comes', () => {
    const sizing = new SpoolSizing()
    for (let second = 0; second <= 300; second++) sizing.look(second * 1000, second * 10, second * 100)
    for (let second = 301; second <= 400; second++) {
      sizing.look(second * 1000, 3000 + (second - 300) * 20, 30_000 + (second - 300) * 200)
    }
    assert.equal(sizing.rate!.bytesPerSecond, 200)
    for (let second = 401; second <= 470; second++) sizing.look(second * 1000, 5000, 50_000)
    assert.equal(sizing.rate, undefined)
  })

  it('reads well', () => {
    const texts = [4, 65, 120, 3600, 40 * 3600 + 20 * 60, 3 * 86_400 + 3600, 400 * 86_400].map(durationText)
    assert.deepEqual(texts, ['4 s', '1 min 5 s', '2 min', '1 h', '40 h 20 min', '3 d 1 h', '400 d'])
    assert.deepEqual([500, 1536, 2 ** 28, 3 * 2 ** 40].map(sizeText), ['500 B', '1.5 KiB', '256 MiB', '3 TiB'])
  })
})
