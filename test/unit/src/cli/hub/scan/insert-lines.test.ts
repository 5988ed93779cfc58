import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { addedLines, insertEntry } from '#src/cli/hub/scan/insert-lines'

const added = (text: string) => insertEntry(text, 'devices', 'roof', '{ driver: sim }')
const refused = (text: string, message: RegExp) =>
  assert.throws(() => added(text), { code: 'TLM_OPTIONS_INVALID', message })

describe('an entry added to a YAML text', () => {
  it('begins a section that is not there', () => {
    assert.equal(added(''), 'devices:\n  roof: { driver: sim }\n')
    assert.equal(added('a: 1'), 'a: 1\ndevices:\n  roof: { driver: sim }\n')
  })

  it('fills a section that is empty', () => {
    assert.equal(added('devices: # none\na: 1\n'), 'devices: # none\n  roof: { driver: sim }\na: 1\n')
    assert.equal(added('devices: {}\n'), 'devices: { roof: { driver: sim } }\n')
  })

  it('goes behind the last of a section, with its indentation, and leaves all else as it is', () => {
    const text = '# one\ndevices:\n    a:\n        x: [1,\n            2]   # odd\n    # two\n\nbuses: {}\n'
    const after =
      '# one\ndevices:\n    a:\n        x: [1,\n            2]   # odd\n    roof: { driver: sim }\n    # two\n\nbuses: {}\n'
    assert.equal(added(text), after)
    assert.equal(addedLines(text, after), '              2]   # odd\n+     roof: { driver: sim }\n')
  })

  it('goes behind block text and keys without a value', () => {
    assert.equal(added('devices:\n  a: |\n    text\n'), 'devices:\n  a: |\n    text\n  roof: { driver: sim }\n')
    assert.equal(added('devices:\n  a:\n'), 'devices:\n  a:\n  roof: { driver: sim }\n')
    assert.equal(added('devices:\n  a: 1'), 'devices:\n  a: 1\n  roof: { driver: sim }\n')
  })

  it('goes into a section on one line', () => {
    assert.equal(added('devices: { a: 1 } # x\n'), 'devices: { a: 1, roof: { driver: sim } } # x\n')
  })

  it('is refused when its name is taken, or the text is no configuration', () => {
    refused('devices: { roof: 1 }', /there is roof below devices already/)
    refused('devices: [1]', /devices is no list of names/)
    refused('- 1', /no YAML of keys and values/)
    refused('a: [', /no YAML of keys and values/)
  })
})
