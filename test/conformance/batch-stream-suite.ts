import { describe, it } from 'node:test'
import { appendCases } from './batch-stream/append-cases.js'
import { depthCases } from './batch-stream/depth-cases.js'
import { leaseCases } from './batch-stream/lease-cases.js'
import { ownershipCases } from './batch-stream/ownership-cases.js'
import { settleCases } from './batch-stream/settle-cases.js'
import { type FreshStore, StoreFixture } from './batch-stream-fixture.js'

/** A behaviour every implementation of the contract must show, over a store of its own. */
export type Case = (fixture: StoreFixture) => Promise<void>
/** Cases by the sentence that they prove. */
export type Cases = Readonly<Record<string, Case>>

const GROUPS: Readonly<Record<string, Cases>> = {
  append: appendCases,
  lease: leaseCases,
  ownership: ownershipCases,
  settle: settleCases,
  'depths, beat and open': depthCases,
}

/**
 * Registers the conformance tests of the contract `native-free-core/transport/batch-stream`.
 *
 * @param name of the implementation
 * @param createStore gives an empty store of its own to each case
 */
export function testBatchStream(name: string, createStore: () => Promise<FreshStore>): void {
  for (const [group, cases] of Object.entries(GROUPS)) {
    describe(`${name}: ${group}`, () => {
      for (const [sentence, run] of Object.entries(cases)) {
        it(sentence, async () => {
          const fixture = new StoreFixture(await createStore())
          try {
            await run(fixture)
          } finally {
            await fixture.end()
          }
        })
      }
    })
  }
}
