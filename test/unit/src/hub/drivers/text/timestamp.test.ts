import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseTimestamp } from '#src/hub/drivers/text/timestamp'

const NOON_US = Date.UTC(2024, 1, 29, 12) * 1000

test('iso texts are read with and without zone, seconds and fraction', () => {
  for (const text of [
    '2024-02-29T12:00:00Z',
    '2024-02-29 12:00',
    '2024-02-29T13:30:00+01:30',
    '2024-02-29T10:00-0200',
  ]) {
    assert.equal(parseTimestamp(text, 'iso'), NOON_US, text)
  }
  assert.equal(parseTimestamp('2024-02-29 12:00:00.000001', 'iso'), NOON_US + 1)
  assert.equal(parseTimestamp('2024-02-29 13:00:00,5', 'iso', 60), NOON_US + 500_000)
  assert.equal(parseTimestamp('2024-02-29', 'iso'), NOON_US - 12 * 3_600_000_000)
})

test('days and hours that do not exist are refused, not rolled over', () => {
  for (const text of [
    '2023-02-29',
    '2024-13-01',
    '2024-00-10',
    '2024-04-31 10:00',
    '2024-04-30 24:00',
    '2024-04-30 10:60',
    'x',
  ]) {
    assert.equal(parseTimestamp(text, 'iso'), undefined, text)
  }
})

test('unix times are read in their unit', () => {
  assert.equal(parseTimestamp('1709208000.25', 'unix-s'), NOON_US + 250_000)
  assert.equal(parseTimestamp('1709208000000', 'unix-ms'), NOON_US)
  assert.equal(parseTimestamp('1709208000000000', 'unix-us'), NOON_US)
  assert.equal(parseTimestamp('', 'unix-s'), undefined)
})
