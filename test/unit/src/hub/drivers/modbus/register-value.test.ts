import assert from 'node:assert/strict'
import { test } from 'node:test'
import { guessRegisters } from '#src/hub/drivers/modbus/guess'
import { BYTE_ORDERS, readValue } from '#src/hub/drivers/modbus/register-value'

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'))

test('a float is read in each of the four orders', () => {
  // 123456.0 as IEEE 754: 47 F1 20 00.
  const wires = { ABCD: '47f1 2000', CDAB: '2000 47f1', BADC: 'f147 0020', DCBA: '0020 f147' }
  for (const order of BYTE_ORDERS) assert.equal(readValue(bytes(wires[order]), 'f32', order), 123456)
})

test('a 64-bit number in each of the four orders', () => {
  const wires = {
    ABCD: '0001 0203 0405 0607',
    CDAB: '0607 0405 0203 0001',
    BADC: '0100 0302 0504 0706',
    DCBA: '0706 0504 0302 0100',
  }
  for (const order of BYTE_ORDERS) assert.equal(readValue(bytes(wires[order]), 'u64', order), 0x0001020304050607)
})

test('every type reads what its bits say', () => {
  assert.equal(readValue(bytes('ffff'), 'u16', 'ABCD'), 65535)
  assert.equal(readValue(bytes('ffff'), 'i16', 'ABCD'), -1)
  assert.equal(readValue(bytes('0102'), 'u16', 'BADC'), 0x0201)
  assert.equal(readValue(bytes('0102'), 'u16', 'CDAB'), 0x0102, 'of one word only the order within it counts')
  assert.equal(readValue(bytes('ffff fffe'), 'i32', 'ABCD'), -2)
  assert.equal(readValue(bytes('ffff ffff ffff fffe'), 'i64', 'ABCD'), -2)
  assert.equal(readValue(bytes('c05e dd2f 1a9f be77'), 'f64', 'ABCD'), -123.456)
  assert.equal(readValue(bytes('0000'), 'bool', 'ABCD'), 0)
  assert.equal(readValue(bytes('0300'), 'bool', 'ABCD'), 1)
  assert.equal(readValue(bytes('0010'), 'bit', 'ABCD', 4), 1)
  assert.equal(readValue(bytes('0010'), 'bit', 'ABCD', 3), 0)
  assert.ok(Number.isNaN(readValue(bytes('7fc0 0000'), 'f32', 'ABCD')))
})

test('a guess finds the order in which a float is an everyday number', () => {
  const plausible = guessRegisters([0x2000, 0x47f1]).filter(({ type, isPlausible }) => type === 'f32' && isPlausible)
  assert.deepEqual(plausible, [{ type: 'f32', order: 'CDAB', value: 123456, isPlausible: true }])
})

test('a guess shows every type that the words are enough for, a 16-bit one in two orders only', () => {
  assert.deepEqual(
    guessRegisters([2301]).map(({ type, order, value }) => `${type} ${order} ${value}`),
    ['u16 ABCD 2301', 'u16 BADC 64776', 'i16 ABCD 2301', 'i16 BADC -760'],
  )
  assert.equal(guessRegisters([0, 1]).length, 4 + 3 * 4)
  assert.equal(guessRegisters([0, 1, 2, 3]).length, 4 + 6 * 4)
  assert.deepEqual(guessRegisters([]), [])
})
