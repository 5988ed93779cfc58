import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatIsoInstant, parseIsoInstant } from '#core/time/iso-instant'

test('an instant is written with as much fraction as it has, and read back', () => {
  const second = Date.UTC(2025, 11, 26, 10, 30) * 1000
  for (const [us, text] of [
    [second, '2025-12-26T10:30:00Z'],
    [second + 250_000, '2025-12-26T10:30:00.250Z'],
    [second + 1, '2025-12-26T10:30:00.000001Z'],
    [-1, '1969-12-31T23:59:59.999999Z'],
  ] as const) {
    assert.equal(formatIsoInstant(us), text)
    assert.equal(parseIsoInstant(text), us)
  }
})
