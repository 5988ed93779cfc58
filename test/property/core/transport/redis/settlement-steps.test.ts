import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { DeadLetterOrder, Settlement } from '#core/transport/batch-stream'
import { settlementSteps } from '#core/transport/redis/settlement-steps'

const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31)
const names = (count: number) => Array.from({ length: count }, (_, i) => `e${i}`)
const ofBytes = (bytes: number, ids: readonly string[]) => new Map(ids.map((id) => [id, { bytes }]))
const burial = (id: string): DeadLetterOrder => ({ id, priority: 1, class: 'kind', message: 'why' })
const NOTHING: Settlement = { ack: [], retry: [], deadLetter: [], state: new Map() }

test(`steps name what the settlement names, in its order (seed ${seed})`, () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 300 }),
      fc.integer({ min: 0, max: 300 }),
      fc.integer({ min: 0, max: 300 }),
      fc.integer({ min: 0, max: 100_000 }),
      (acks, retries, burials, bytes) => {
        const ids = names(acks + retries + burials)
        const ack = ids.slice(0, acks)
        const retry = ids
          .slice(acks, acks + retries)
          .map((id) => ({ id, priority: 1 as const, attempts: 1, afterMs: 0 }))
        const deadLetter = ids.slice(acks + retries).map(burial)
        const steps = settlementSteps({ ...NOTHING, ack, retry, deadLetter }, ofBytes(bytes, ids))
        assert.deepEqual(
          steps.flatMap((step) => step.ack),
          ack,
        )
        assert.deepEqual(
          steps.flatMap((step) => step.retry),
          retry,
        )
        assert.deepEqual(
          steps.flatMap((step) => step.deadLetter),
          deadLetter,
        )
      },
    ),
    { seed, numRuns: 100 },
  )
})
