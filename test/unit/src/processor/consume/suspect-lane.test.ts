import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LeasedEntry } from '#core/transport/batch-stream'
import { MAX_DELIVERIES, SUSPECT_ROW, SuspectLane } from '#src/processor/consume/suspect-lane'

const entry = (deliveryCount: number): LeasedEntry => ({
  ...{ id: 'e', priority: 1, attempts: 0, handler: '*', correlationId: 'hub.1.0.7', samples: 1, firstTakenAtUs: 0 },
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
