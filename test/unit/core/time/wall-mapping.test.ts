import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { EARLIEST_WALL_US } from '#core/time/hub-time'
import { MAX_KNOTS, WallMapping } from '#core/time/wall-mapping'
import { createWallMemory, WallReader, WallWriter } from '#core/time/wall-memory'

const WALL_US = Date.UTC(2026, 0) * 1000
const SECOND_US = 1_000_000
const STEP = { stepUs: 250_000 }

function mappingAt(hubUs: number, wallUs: number): WallMapping {
  return new WallMapping(hubUs, wallUs, STEP)
}

describe('the mapping of hub time to wall time', () => {
  it('stays as it is while both clocks run alike, within the grain of the wall clock', () => {
    const mapping = mappingAt(0, WALL_US)
    for (let second = 1; second < 100; second++) {
      const grainUs = (second % 3) * 500
      assert.equal(mapping.look(second * SECOND_US, WALL_US + second * SECOND_US - grainUs).kind, 'steady')
    }
    assert.equal(mapping.toWall(50 * SECOND_US), WALL_US + 50 * SECOND_US)
    assert.deepEqual([mapping.knots.length, mapping.steps], [1, 0])
  })

  it('makes up for a small difference little by little, never backwards', () => {
    for (const byUs of [100_000, -100_000]) {
      const mapping = mappingAt(0, WALL_US)
      assert.deepEqual(mapping.look(SECOND_US, WALL_US + SECOND_US + byUs), { kind: 'slewing', byUs })
      // 500 us a second: 100 ms in 200 s.
      assert.equal(mapping.toWall(SECOND_US), WALL_US + SECOND_US)
      assert.equal(mapping.toWall(101 * SECOND_US), WALL_US + 101 * SECOND_US + byUs / 2)
      assert.equal(mapping.toWall(900 * SECOND_US), WALL_US + 900 * SECOND_US + byUs)
      assert.equal(mapping.look(2 * SECOND_US, WALL_US + 2 * SECOND_US + byUs).kind, 'steady')
      assert.ok(Math.abs(mapping.errorUs - byUs * (1 - 1 / 200)) < 1)
      assert.equal(mapping.steps, 0)
    }
  })

  it('takes a step over at once, and for all that is still to be mapped', () => {
    for (const byUs of [3600 * SECOND_US, -3600 * SECOND_US, 250_001]) {
      const mapping = mappingAt(0, WALL_US)
      assert.deepEqual(mapping.look(SECOND_US, WALL_US + SECOND_US + byUs), { kind: 'stepped', byUs })
      assert.equal(mapping.toWall(0), WALL_US + byUs)
      assert.equal(mapping.toWall(5 * SECOND_US), WALL_US + 5 * SECOND_US + byUs)
      assert.deepEqual([mapping.steps, mapping.errorUs], [1, 0])
    }
  })

  it('moves only what comes after when the machine has slept', () => {
    const mapping = mappingAt(0, WALL_US)
    mapping.look(10 * SECOND_US, WALL_US + 10 * SECOND_US)
    const asleepUs = 3600 * SECOND_US
    const change = mapping.look(11 * SECOND_US, WALL_US + 11 * SECOND_US + asleepUs + 3000, asleepUs)
    assert.equal(change.kind, 'resumed')
    assert.equal(mapping.toWall(9 * SECOND_US), WALL_US + 9 * SECOND_US)
    assert.equal(mapping.toWall(10.5 * SECOND_US), WALL_US + 10.5 * SECOND_US + asleepUs + 3000)
    assert.equal(mapping.steps, 0)
    // A step afterwards corrects both sides of the sleep.
    mapping.look(12 * SECOND_US, WALL_US + 12 * SECOND_US + asleepUs + 3000 + 60 * SECOND_US)
    assert.equal(mapping.toWall(9 * SECOND_US), WALL_US + 69 * SECOND_US)
  })

  it('counts from 1990 while the wall clock says what cannot be', () => {
    const mapping = mappingAt(5 * SECOND_US, 17 * SECOND_US)
    assert.equal(mapping.toWall(6 * SECOND_US), EARLIEST_WALL_US + 6 * SECOND_US)
    assert.equal(mapping.look(7 * SECOND_US, 19 * SECOND_US).kind, 'steady')
    assert.equal(mapping.look(8 * SECOND_US, WALL_US).kind, 'stepped')
    assert.equal(mapping.toWall(6 * SECOND_US), WALL_US - 2 * SECOND_US)
  })

  it('is bounded, and counts a slew that it forgets', () => {
    const mapping = mappingAt(0, WALL_US)
    for (let look = 1; look <= 200; look++) {
      const hubUs = look * 60 * SECOND_US
      mapping.look(hubUs, WALL_US + hubUs + (look % 2) * 20_000)
      assert.ok(mapping.knots.length <= MAX_KNOTS)
    }
    assert.ok(mapping.steps > 0)
  })
})

describe('the mapping in shared memory', () => {
  it('is read as it was written, and only when it is new', () => {
    const memory = createWallMemory()
    const writer = new WallWriter(memory)
    const reader = new WallReader(memory, () => 7 * SECOND_US)
    reader.load()
    assert.equal(reader.toWall(5), 5)
    writer.write([
      { atUs: 0, offsetUs: WALL_US },
      { atUs: 10 * SECOND_US, offsetUs: WALL_US + 1000 },
    ])
    assert.equal(reader.toWall(5), 5)
    assert.equal(reader.nowUs(), WALL_US + 7 * SECOND_US + 700)
    writer.write([{ atUs: 0, offsetUs: WALL_US }])
    assert.equal(reader.nowUs(), WALL_US + 7 * SECOND_US)
    assert.equal(reader.isHeld, false)
    writer.isHeld = true
    assert.equal(reader.isHeld, true)
  })

  it('never gives what could be taken for hub time again', () => {
    const memory = createWallMemory()
    new WallWriter(memory).write([{ atUs: 0, offsetUs: EARLIEST_WALL_US }])
    const reader = new WallReader(memory)
    reader.load()
    assert.equal(reader.toWall(-5), EARLIEST_WALL_US)
  })
})
