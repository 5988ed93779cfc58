import assert from 'node:assert/strict'
import { test } from 'node:test'
import { documentPlace } from '#src/hub/drivers/modbus/register-map'
import { planRequests } from '#src/hub/drivers/modbus/request-plan'
import { driver } from '#src/hub/drivers/modbus-rtu/driver'
import { optionsOf } from '#test/support/driver-options'

function plan(registers: object, limits: object = {}): string[] {
  const options = optionsOf(driver, { registers, ...limits })
  return planRequests(options.registers, options).map(({ table, start, count }) => `${table} ${start}+${count}`)
}

test('neighbours share a request, whatever the order in which they are named', () => {
  assert.deepEqual(plan({ b: { holding: 2, type: 'u32' }, a: { holding: 1 }, c: { input: 4 } }), [
    'holding 1+3',
    'input 4+1',
  ])
})

test('a register that nobody named is not read along, unless allowed', () => {
  const registers = { a: { holding: 0 }, b: { holding: 3 } }
  assert.deepEqual(plan(registers), ['holding 0+1', 'holding 3+1'])
  assert.deepEqual(plan(registers, { max_hole_registers: 1 }), ['holding 0+1', 'holding 3+1'])
  assert.deepEqual(plan(registers, { max_hole_registers: 2 }), ['holding 0+4'])
})

test('a request has at most the registers allowed, and a value is never split', () => {
  const registers = { a: { holding: 0 }, b: { holding: 1, type: 'f32' }, c: { holding: 3, type: 'f64' } }
  assert.deepEqual(plan(registers, { max_registers_per_request: 2 }), ['holding 0+1', 'holding 1+2', 'holding 3+4'])
  assert.deepEqual(plan(registers, { max_registers_per_request: 3 }), ['holding 0+3', 'holding 3+4'])
})

test('several bits of one register need it once', () => {
  const registers = { run: { holding: 7, bit: 0 }, fault: { holding: 7, bit: 15 }, word: { holding: 7 } }
  assert.deepEqual(plan(registers, { max_registers_per_request: 1 }), ['holding 7+1'])
})

test('numbers of documents name the table with their first digit and count from one', () => {
  assert.deepEqual(documentPlace('40001'), { table: 'holding', address: 0 })
  assert.deepEqual(documentPlace('30006'), { table: 'input', address: 5 })
  assert.deepEqual(documentPlace('10010'), { table: 'discrete', address: 9 })
  assert.deepEqual(documentPlace('00017'), { table: 'coil', address: 16 })
  assert.deepEqual(documentPlace('17'), { table: 'coil', address: 16 })
  assert.deepEqual(documentPlace('465536'), { table: 'holding', address: 65_535 })
  for (const no of ['40000', '465537', '20001', '50001', '4000', '0', 'x0001', '4000001']) {
    if (no === '4000') assert.deepEqual(documentPlace(no), { table: 'coil', address: 3999 })
    else assert.equal(documentPlace(no), undefined, no)
  }
})

test('a register that cannot be is refused with what was expected', () => {
  const refused = (entry: object, text: RegExp) =>
    assert.throws(() => optionsOf(driver, { registers: { a_b: entry } }), text)
  refused({}, /exactly one of coil, discrete, input, holding/)
  refused({ holding: 1, input: 1 }, /exactly one of/)
  refused({ holding: 1, document: 40001 }, /exactly one of/)
  refused({ document: 20001 }, /expected document to be/)
  refused({ coil: 1, type: 'u16' }, /a coil is one bit/)
  refused({ holding: 1, type: 'bit' }, /type bit and the key bit/)
  refused({ holding: 65_535, type: 'u32' }, /ends before address 65536/)
  refused({ holding: 1, scale: 0 }, /other than 0/)
  assert.throws(() => optionsOf(driver, { registers: {} }), /at least one register/)
})

test('names of channels stay as they are written', () => {
  const options = optionsOf(driver, { registers: { voltage_l1: { document: 40001 } } })
  assert.deepEqual(driver.channels(options), [{ name: 'voltage_l1', quantity: 'voltage_l1', unit: '', resolution: 1 }])
})
