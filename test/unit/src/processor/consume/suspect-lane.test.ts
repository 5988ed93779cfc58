import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LeasedEntry } from '#core/transport/batch-stream'
import { MAX_DELIVERIES, SUSPECT_ROW, SuspectLane } from '#src/processor/consume/suspect-lane'

const entry = (deliveryCount: number, correlationId = 'hub.1.0.7'): LeasedEntry => ({
  ...{ id: 'e', priority: 1, attempts: 0, handler: '*', correlationId, samples: 1, firstTakenAtUs: 0 },
  deliveryCount,
  body: new Uint8Array(0),
})

test('an entry that killed its process in each trial is convicted, but tried again once it is replayed', () => {
  const lane = new SuspectLane()
  const trial = new TextEncoder().encode(JSON.stringify({ correlationId: 'hub.1.0.7', runs: 3 }))
  lane.load(new Map([[SUSPECT_ROW, trial]]))
  assert.equal(lane.hasKilledSilently(entry(MAX_DELIVERIES + 1)), true)
  assert.equal(lane.hasKilledSilently(entry(1)), false)
})

/** What a process leaves of the row when it runs others first and dies in the trial of the entry. */
function dieInTrial(row: Uint8Array | undefined, others: readonly LeasedEntry[]): Uint8Array | undefined {
  const lane = new SuspectLane()
  lane.load(row === undefined ? new Map() : new Map([[SUSPECT_ROW, row]]))
  const saved = new Map<string, Uint8Array | undefined>([[SUSPECT_ROW, row]])
  // A checkpoint of entries that need no trial.
  for (const [key, bytes] of lane.takeBack()) saved.set(key, bytes)
  for (const other of others) {
    for (const [key, bytes] of [...lane.announce(other), ...lane.takeBack()]) saved.set(key, bytes)
  }
  for (const [key, bytes] of lane.announce(entry(MAX_DELIVERIES + 1))) saved.set(key, bytes)
  return saved.get(SUSPECT_ROW)
}

test('a trial is not forgotten for checkpoints and trials of other entries before the next one', () => {
  const innocents = [entry(MAX_DELIVERIES + 1, 'hub.1.0.1'), entry(MAX_DELIVERIES + 2, 'hub.1.0.2')]
  let row: Uint8Array | undefined
  for (let death = 0; death < 3; death++) row = dieInTrial(row, innocents)
  const lane = new SuspectLane()
  lane.load(new Map([[SUSPECT_ROW, row!]]))
  assert.equal(lane.hasKilledSilently(entry(MAX_DELIVERIES + 4)), true)
  for (const innocent of innocents) assert.equal(lane.hasKilledSilently(innocent), false)
})

test('the row is gone once the last trial has ended: the entry ran well, or was convicted', () => {
  const lane = new SuspectLane()
  lane.announce(entry(MAX_DELIVERIES + 1))
  assert.deepEqual(lane.takeBack(), [[SUSPECT_ROW, undefined]])
  assert.deepEqual(lane.takeBack(), [])
  const trial = new TextEncoder().encode(JSON.stringify([{ correlationId: 'hub.1.0.7', runs: 3 }]))
  lane.load(new Map([[SUSPECT_ROW, trial]]))
  assert.deepEqual(lane.takeBack(), [])
  lane.endTrial(entry(MAX_DELIVERIES + 1))
  assert.deepEqual(lane.takeBack(), [[SUSPECT_ROW, undefined]])
})
