import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Bme280Options } from '#src/hub/drivers/bme280/bme280-options'
import { driver } from '#src/hub/drivers/bme280/driver'
import { virtualBme280 } from '#src/hub/drivers/bme280/virtual-bme280'
import { VirtualChip } from '#src/hub/drivers/bme280/virtual-chip'
import type { VirtualI2cDevice, VirtualSpiDevice } from '#src/hub/drivers/contract/virtual-device'
import { ManualClock, optionsOf } from '#test/support/driver-rig'

const OPTIONS = optionsOf(driver) as Bme280Options
const UNMEASURED = [0x80, 0x00, 0x00, 0x80, 0x00, 0x00, 0x80, 0x00]

function chipWith(clock: ManualClock) {
  const chip = new VirtualChip('bme280', undefined, clock.nowMs)
  clock.pass(2)
  return chip
}

test('after power-on the data registers read 0x80000, 0x80000 and 0x8000, and the calibration is copied for 2 ms', () => {
  const clock = new ManualClock()
  const chip = new VirtualChip('bme280', undefined, clock.nowMs)
  assert.deepEqual([...chip.read(0xf7, 8)], UNMEASURED)
  assert.equal(chip.read(0xf3, 1)[0], 0x01)
  clock.pass(2)
  assert.equal(chip.read(0xf3, 1)[0], 0x00)
})

test('humidity is measured only once ctrl_meas was written after ctrl_hum', () => {
  const clock = new ManualClock()
  const chip = chipWith(clock)
  chip.write(0xf4, 0x24)
  chip.write(0xf2, 0x01)
  chip.write(0xf4, 0x25)
  clock.pass(10)
  assert.notDeepEqual([...chip.read(0xfd, 2)], [0x80, 0x00])
  const other = chipWith(clock)
  other.write(0xf4, 0x25)
  other.write(0xf2, 0x01)
  clock.pass(10)
  assert.deepEqual([...other.read(0xfd, 2)], [0x80, 0x00])
})

test('a forced measurement shows as measuring, ends after its time and leaves the chip asleep', () => {
  const clock = new ManualClock()
  const chip = chipWith(clock)
  chip.write(0xf4, 0x25)
  assert.equal(chip.read(0xf3, 1)[0], 0x08)
  clock.pass(5)
  assert.deepEqual([...chip.read(0xf7, 8)], UNMEASURED)
  // 1 + 2 + 2.5 ms.
  clock.pass(0.5)
  assert.equal(chip.read(0xf3, 1)[0], 0x00)
  assert.equal(chip.read(0xf4, 1)[0], 0x24)
  assert.notDeepEqual([...chip.read(0xf7, 6)], UNMEASURED.slice(0, 6))
})

test('over I2C writes are pairs, a lone byte is the register to read, and reads count up', () => {
  const clock = new ManualClock()
  const device = virtualBme280(OPTIONS, 'i2c', chipWith(clock)) as VirtualI2cDevice
  assert.equal(device.write(Uint8Array.of(0xf2, 0x03, 0xf5, 0x10)), 4)
  device.write(Uint8Array.of(0xf2))
  assert.deepEqual([...device.read(4)!], [0x03, 0x00, 0x00, 0x10])
  device.write(Uint8Array.of(0xd0))
  assert.deepEqual([...device.read(1)!], [0x60])
})

test('over SPI bit 7 reads, and without it the same register is written', () => {
  const clock = new ManualClock()
  const device = virtualBme280(OPTIONS, 'spi', chipWith(clock)) as VirtualSpiDevice
  device.transfer(Uint8Array.of(0x72, 0x03))
  assert.deepEqual([...device.transfer(Uint8Array.of(0xf2, 0, 0))], [0xff, 0x03, 0x00])
  device.transfer(Uint8Array.of(0x60, 0xb6))
  assert.deepEqual([...device.transfer(Uint8Array.of(0xf2, 0))], [0xff, 0x00])
})

test('in normal mode a write to config is ignored, as the datasheet says it may be', () => {
  const clock = new ManualClock()
  const chip = chipWith(clock)
  chip.write(0xf4, 0x27)
  chip.write(0xf5, 0x10)
  assert.equal(chip.read(0xf5, 1)[0], 0x00)
})
