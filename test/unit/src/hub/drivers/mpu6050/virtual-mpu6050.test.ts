import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualMpu6050 } from '#src/hub/drivers/mpu6050/virtual-mpu6050'
import { ManualClock } from '#test/support/driver-rig'

/** Awake, 1000 samples a second, all into the FIFO. */
function running(id?: number) {
  const clock = new ManualClock()
  const chip = new VirtualMpu6050(undefined, clock.nowMs, id)
  chip.write(Uint8Array.of(0x6b, 0x01))
  chip.write(Uint8Array.of(0x19, 0, 1))
  chip.write(Uint8Array.of(0x23, 0xf8))
  chip.write(Uint8Array.of(0x6a, 0x40))
  const read = (register: number, count: number) => {
    chip.write(Uint8Array.of(register))
    return [...chip.read(count)]
  }
  return { clock, chip, read }
}

test('after power-on it sleeps and samples nothing', () => {
  const clock = new ManualClock()
  const chip = new VirtualMpu6050(undefined, clock.nowMs)
  clock.pass(100)
  chip.write(Uint8Array.of(0x6b))
  assert.deepEqual([...chip.read(1)], [0x40])
  chip.write(Uint8Array.of(0x3b))
  assert.deepEqual([...chip.read(14)], new Array(14).fill(0))
})

test('the count is in bytes, a burst of the data register drains it, and an empty FIFO repeats its last byte', () => {
  const { clock, read } = running()
  clock.pass(3)
  assert.deepEqual(read(0x72, 2), [0, 42])
  const bytes = read(0x74, 28)
  assert.deepEqual(bytes.slice(0, 14), bytes.slice(14))
  assert.deepEqual(bytes.slice(4, 6), [0x40, 0x00])
  assert.deepEqual(read(0x72, 2), [0, 14])
  const last = read(0x74, 14)[13]
  assert.deepEqual(read(0x74, 3), [last, last, last])
})

test('a FIFO that runs over keeps its size, sets the flag until it is read, and its frames are shifted', () => {
  const { clock, read } = running()
  clock.pass(74)
  assert.deepEqual(read(0x72, 2), [4, 0])
  assert.deepEqual(read(0x3a, 1), [0x10])
  assert.deepEqual(read(0x3a, 1), [0x00])
  // 74 frames are 1036 bytes: the first twelve are lost, so z stands where x would.
  assert.notDeepEqual(read(0x74, 14).slice(4, 6), [0x40, 0x00])
})

test('the FIFO is emptied only while it is off', () => {
  const { clock, chip, read } = running()
  clock.pass(2)
  chip.write(Uint8Array.of(0x6a, 0x44))
  assert.deepEqual(read(0x72, 2), [0, 28])
  chip.write(Uint8Array.of(0x6a, 0x04))
  assert.deepEqual(read(0x72, 2), [0, 0])
  assert.deepEqual(read(0x6a, 1), [0x00])
})

test('without a filter it samples from 8 kHz', () => {
  const { clock, chip, read } = running()
  chip.write(Uint8Array.of(0x19, 7, 0))
  chip.write(Uint8Array.of(0x6a, 0x04))
  chip.write(Uint8Array.of(0x6a, 0x40))
  clock.pass(5)
  assert.deepEqual(read(0x72, 2), [0, 70])
})
