import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isFault } from '#src/hub/drivers/contract/decoded'
import { readFault } from '#src/hub/drivers/contract/fault'
import type { VirtualLineDevice } from '#src/hub/drivers/contract/virtual-device'
import { BYTE_ORDERS, REGISTER_TYPES, readValue, reorder, writeValue } from '#src/hub/drivers/modbus/register-value'
import { dataBytes, planRequests } from '#src/hub/drivers/modbus/request-plan'
import { RTU_FRAMING } from '#src/hub/drivers/modbus/rtu-framing'
import { TCP_FRAMING } from '#src/hub/drivers/modbus/tcp-framing'
import { driver as rtu } from '#src/hub/drivers/modbus-rtu/driver'
import { driver as tcp } from '#src/hub/drivers/modbus-tcp/driver'
import { instantTools, optionsOf } from '#test/support/driver-options'
import { linePort } from '#test/support/virtual-ports'

const order = fc.constantFrom(...BYTE_ORDERS)
const wordTypes = REGISTER_TYPES.filter((type) => type !== 'bit')
const entry = fc.oneof(
  fc.record({ holding: fc.nat(60), type: fc.constantFrom(...wordTypes), order }),
  fc.record({ input: fc.nat(60), type: fc.constantFrom(...wordTypes), order }),
  fc.record({ holding: fc.nat(60), bit: fc.nat(15) }),
  fc.record({ coil: fc.nat(60) }),
  fc.record({ discrete: fc.nat(60) }),
)
const raw = fc.record({
  registers: fc.dictionary(fc.constantFrom('a', 'b_1', 'c', 'd', 'e', 'f'), entry, { minKeys: 1 }),
  max_registers_per_request: fc.integer({ min: 1, max: 125 }),
  max_hole_registers: fc.nat(10),
})

test('every register is in exactly one request, whole, within the limits, and no hole is longer than allowed', () => {
  fc.assert(
    fc.property(raw, (given) => {
      const options = optionsOf(rtu, given)
      const plan = planRequests(options.registers, options)
      const seen = plan.flatMap(({ registers }) => registers.map(({ index }) => index)).sort((a, b) => a - b)
      assert.deepEqual(seen, [...options.registers.keys()])
      for (const request of plan) {
        const isBits = request.table === 'coil' || request.table === 'discrete'
        const limit = options.maxRegistersPerRequest * (isBits ? 16 : 1)
        assert.ok(request.count <= limit || request.registers.length === 1 || dataBytes(request) <= 8)
        const covered = new Set<number>()
        for (const { address, type } of request.registers) {
          const width = isBits
            ? 1
            : { u16: 1, i16: 1, bool: 1, bit: 1, u32: 2, i32: 2, f32: 2, u64: 4, i64: 4, f64: 4 }[type]
          for (let at = address; at < address + width; at++) covered.add(at - request.start)
        }
        let hole = 0
        for (let at = 0; at < request.count; at++) {
          hole = covered.has(at) ? 0 : hole + 1
          assert.ok(hole <= options.maxHoleRegisters)
        }
        assert.ok(covered.has(0) && covered.has(request.count - 1) && Math.max(...covered) === request.count - 1)
      }
    }),
  )
})

test('any value written to registers is read back from them in every order', () => {
  fc.assert(
    fc.property(fc.constantFrom(...REGISTER_TYPES), order, fc.nat(15), fc.nat(32_767), (type, bytes, bit, number) => {
      const value = type === 'bool' || type === 'bit' ? number & 1 : number
      assert.equal(readValue(writeValue(value, type, bytes, bit), type, bytes, bit), value)
      const eight = Uint8Array.from([0, 1, 2, 3, 4, 5, 6, 7])
      assert.deepEqual(reorder(reorder(eight, bytes), bytes), eight)
    }),
  )
})

test('a virtual slave answers every plan of both framings with what was set', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(rtu, tcp),
      fc.nat(60),
      order,
      fc.integer({ min: 0, max: 2 ** 31 }),
      async (driver, address, bytes, value) => {
        const registers = {
          flag: { coil: address },
          n: { holding: address, type: 'u32', order: bytes },
          f: { input: address },
        }
        const options = optionsOf(driver, { registers })
        const device = driver.emulate(options, 'tcp') as VirtualLineDevice
        device.set('n', value)
        device.set('flag', 1)
        const got = await driver.acquire(linePort(device), options, instantTools(), new Uint8Array(0))
        const decoded = driver.decode(got, driver.calibration(new Uint8Array(0), options, readFault), options)
        assert.ok(!isFault(decoded))
        assert.deepEqual(Array.from(decoded[0].values), [1, value, 0])
      },
    ),
    { numRuns: 50 },
  )
})

test('no bytes make decode throw, and none that differ in a bit are taken over a serial line', () => {
  const options = optionsOf(rtu, { registers: { a: { holding: 0 }, c: { coil: 0 } } })
  const plan = rtu.calibration(new Uint8Array(0), options, readFault)
  const good = Uint8Array.of(
    ...RTU_FRAMING.wrap(1, Uint8Array.of(1, 1, 1)),
    ...RTU_FRAMING.wrap(1, Uint8Array.of(3, 2, 0, 7)),
  )
  assert.ok(!isFault(rtu.decode(good, plan, options)))
  fc.assert(
    fc.property(fc.nat(good.length * 8 - 1), (bit) => {
      const bad = Uint8Array.from(good)
      bad[bit >> 3] ^= 1 << (bit & 7)
      assert.ok(isFault(rtu.decode(bad, plan, options)))
    }),
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      rtu.decode(bytes, plan, options)
      tcp.decode(bytes, plan, options)
    }),
  )
})

test('an answer is found whole behind any noise, and any bytes leave the search with an answer or waiting', () => {
  const noise = fc.array(fc.constantFrom(0, 1, 3, 4, 0x83, 255), { maxLength: 12 })
  fc.assert(
    fc.property(noise, fc.uint8Array({ minLength: 4, maxLength: 4 }), (before, data) => {
      const request = RTU_FRAMING.wrap(1, Uint8Array.of(3, 0, 0, 0, 2))
      const answer = RTU_FRAMING.wrap(1, Uint8Array.of(3, 4, ...data))
      // A header of ours at the very start makes what follows a damaged answer: it ends early, as a CRC fault.
      if (before[0] === 1 && (before[1] === 0x83 || (before[1] === 3 && before[2] === 4))) return
      const search = RTU_FRAMING.expect(request, 6)
      const stream = Uint8Array.of(...before, ...answer)
      let end: number | undefined
      for (let count = 1; count <= stream.length && end === undefined; count++)
        end = search.length(stream.subarray(0, count))
      assert.equal(end, stream.length)
      assert.deepEqual(search.frame(stream), answer)
    }),
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
      for (const framing of [RTU_FRAMING, TCP_FRAMING]) {
        const search = framing.expect(framing.wrap(1, Uint8Array.of(3, 0, 0, 0, 2)), 6)
        const end = search.length(bytes)
        assert.ok(end === undefined || end > 0)
        if (end !== undefined) framing.flaw(search.frame(bytes.slice(0, end)), 1)
      }
    }),
  )
})
