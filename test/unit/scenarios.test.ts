import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { readChaosOptions } from '#test/chaos/chaos-options'
import { chooseNemeses } from '#test/chaos/nemeses/catalogue'
import { chooseCases } from '#test/chaos/sweep/sweep'
import { readScenarios } from '#test/scenarios/scenario-table'
import { repositoryFile } from '#test/support/repository'

/** Those that docs/scenarios.md says are not shown. */
const NOT_SHOWN = new Set([29, 33])
const LAST = 37

test('the table of scenarios has all of them, in order', () => {
  const numbers = [...new Set(readScenarios().map(({ number }) => number))]
  const expected = Array.from({ length: LAST }, (_, i) => i + 1).filter((number) => !NOT_SHOWN.has(number))
  assert.deepEqual(numbers, expected)
})

test('every test that the table of scenarios names exists, and so does every fault of the chaos suite', () => {
  for (const { number, proofs } of readScenarios()) {
    for (const proof of proofs) {
      if (proof.kind === 'test') {
        const path = repositoryFile(`test/${proof.file}.test.ts`)
        assert.ok(existsSync(path), `scenario ${number}: there is no ${path}`)
        assert.ok(readFileSync(path, 'utf8').includes(proof.name), `scenario ${number}: ${path} has no "${proof.name}"`)
      } else {
        const { nemeses, points } = readChaosOptions(proof.args)
        chooseNemeses(nemeses)
        chooseCases(points)
      }
    }
  }
})
