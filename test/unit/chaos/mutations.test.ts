import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { MUTATIONS, targetsOf } from '#test/chaos/mutations/mutation'
import { SWEEP_CASES } from '#test/chaos/sweep/sweep'
import { repositoryFile } from '#test/support/repository'

describe('the mutations', () => {
  it('find in the built programs what they remove', () => {
    for (const mutation of MUTATIONS) assert.ok(targetsOf(repositoryFile('dist'), mutation).length > 0, mutation.name)
  })

  it('are judged by cases that exist', () => {
    const names = SWEEP_CASES.map(({ name }) => name)
    for (const { name, point } of MUTATIONS) assert.ok(names.includes(point), name)
  })

  it('say so when the product has not the text any more', () => {
    const gone = { ...MUTATIONS[0], from: 'no such text' }
    assert.throws(() => targetsOf(repositoryFile('dist'), gone), /Mutation fence: no .* has this exactly once/)
  })
})
