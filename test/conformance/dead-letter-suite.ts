import { describe, it } from 'node:test'
import { boundCases } from './dead-letters/bound-cases.js'
import { changeCases } from './dead-letters/change-cases.js'
import { type CreateDeadLetterStore, DeadLetterFixture } from './dead-letters/dead-letter-fixture.js'
import { listCases } from './dead-letters/list-cases.js'
import { traceCases } from './dead-letters/trace-cases.js'

/**
 * Registers the conformance tests of the contracts `native-free-core/transport/dead-letters` and `batch-tracer`.
 *
 * @param name of the implementation
 * @param createStore gives an empty store of its own to each case
 */
export function testDeadLetters(name: string, createStore: CreateDeadLetterStore): void {
  for (const [group, cases] of Object.entries({ list: listCases, change: changeCases, trace: traceCases })) {
    describe(`${name}: ${group}`, () => {
      for (const [sentence, run] of Object.entries(cases)) {
        it(sentence, async () => {
          const fixture = new DeadLetterFixture(await createStore())
          try {
            await run(fixture)
          } finally {
            await fixture.end()
          }
        })
      }
    })
  }
  describe(`${name}: bounds`, () => {
    for (const [sentence, run] of Object.entries(boundCases)) it(sentence, () => run(createStore))
  })
}
