/** One suite for every driver in the catalogue: a new folder is tested without a word here, but for its options. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { builtInDrivers, loadDrivers } from '#src/hub/config/driver-catalogue'
import { exampleStreamDriver } from './example-stream-driver.js'
import { manifestCases } from './manifest-cases.js'
import { polledCases } from './polled-cases.js'
import { streamCases } from './stream-cases.js'

const drivers = await loadDrivers(builtInDrivers())

test('every folder of the catalogue loads', () => {
  const problems = [...drivers].flatMap(([name, driver]) => ('problem' in driver ? [`${name}: ${driver.problem}`] : []))
  assert.deepEqual(problems, [])
  assert.ok([...drivers.values()].some((driver) => 'kind' in driver && driver.kind === 'polled'))
})

for (const [name, driver] of drivers) {
  if ('problem' in driver || driver.kind === 'source') continue
  describe(`${name} keeps the contract of drivers`, () => {
    manifestCases(name, driver)
    if (driver.kind === 'polled') polledCases(name, driver)
    else streamCases(name, driver)
  })
}

describe('the smallest stream driver keeps the contract of drivers', () => {
  manifestCases('example', exampleStreamDriver)
  streamCases('example', exampleStreamDriver)
})
