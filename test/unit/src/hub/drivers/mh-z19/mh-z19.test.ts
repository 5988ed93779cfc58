import assert from 'node:assert/strict'
import { test } from 'node:test'
import { QUALITY } from '#core/model/quality'
import { type DecodedReading, isFault } from '#src/hub/drivers/contract/decoded'
import { readFault } from '#src/hub/drivers/contract/fault'
import type { LinePort } from '#src/hub/drivers/contract/ports'
import { driver } from '#src/hub/drivers/mh-z19/driver'
import { command, READ_CO2 } from '#src/hub/drivers/mh-z19/frame'
import { VirtualMhZ19 } from '#src/hub/drivers/mh-z19/virtual-mh-z19'
import { faultLike, instantTools, optionsOf } from '#test/support/driver-options'
import { linePort } from '#test/support/virtual-ports'

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'))
/** A moment of the steady clock as the driver keeps it. */
const at = (ms: number) => {
  const stamp = Buffer.alloc(8)
  stamp.writeDoubleBE(ms)
  return stamp
}

function decode(answer: string, ageMs = 200_000, options = optionsOf(driver)) {
  const startedMs = driver.calibration(at(1000), options, readFault)
  return driver.decode(Buffer.concat([bytes(answer), at(1000 + ageMs)]), startedMs, options)
}

/** A line that answers each request with the same bytes, as many as are asked for. */
function lineWith(answer: Uint8Array): LinePort {
  return {
    kind: 'serial',
    baudRate: 9600,
    bitsPerByte: 10,
    write: async () => {},
    exchange: async (_request, length) => {
      for (let count = 1; count <= answer.length; count++) {
        if (length(answer.subarray(0, count)) !== undefined) return answer.slice(0, count)
      }
      throw readFault(answer.length === 0 ? 'timeout' : 'short', `${answer.length} bytes came.`)
    },
  }
}

test('the request is the golden one', () => {
  assert.deepEqual(command(READ_CO2), bytes('ff 01 86 00 00 00 00 00 79'))
})

test('golden answers give their concentration', () => {
  const vectors = [
    ['ff 86 02 60 47 00 00 00 d1', 608],
    ['ff 86 01 90 47 00 00 00 a2', 400],
    ['ff 86 13 88 40 00 00 00 9f', 5000],
  ] as const
  for (const [answer, ppm] of vectors) {
    const decoded = decode(answer)
    assert.ok(!isFault(decoded), answer)
    assert.deepEqual(decoded, [{ ageUs: 0, values: [ppm], quality: [QUALITY.good] }])
  }
})

test('values of the first three minutes are marked as warming, of as long as the file says', () => {
  const trust = (ageMs: number, raw = {}) =>
    (decode('ff 86 02 60 47 00 00 00 d1', ageMs, optionsOf(driver, raw)) as DecodedReading[])[0].quality?.[0]
  assert.equal(trust(179_999), QUALITY.warming)
  assert.equal(trust(180_000), QUALITY.good)
  assert.equal(trust(0, { warm_up: 0 }), QUALITY.good)
  assert.equal(trust(180_000, { warm_up: '10min' }), QUALITY.warming)
})

test('each kind of bad answer is named', async () => {
  const read = (answer: Uint8Array) =>
    driver.acquire(lineWith(answer), optionsOf(driver), instantTools(), new Uint8Array(0))
  await assert.rejects(read(bytes('ff 86 02 60 47 00 00 00 d2')), faultLike('crc', /checksum/))
  await assert.rejects(read(bytes('00'.repeat(40))), faultLike('decode', /9600/))
  await assert.rejects(read(bytes('ff 86 02')), faultLike('short', /3 bytes/))
  await assert.rejects(read(new Uint8Array(0)), faultLike('timeout', /0 bytes/))
  const kinds = ['ff 86 02 60 47 00 00 00 d2', 'fe 86 02 60 47 00 00 00 d1', 'ff 86'].map((answer) => {
    const decoded = decode(answer)
    return isFault(decoded) && decoded.fault
  })
  assert.deepEqual(kinds, ['crc', 'decode', 'short'])
})

test('noise and the answer to another command before the answer do no harm', async () => {
  const answer = 'ff 86 02 60 47 00 00 00 d1'
  for (const before of ['00', 'ff', 'ffff', '86', 'ff 79 01 00 00 00 00 00 86']) {
    const raw = await driver.acquire(
      lineWith(bytes(before + answer)),
      optionsOf(driver),
      instantTools(),
      new Uint8Array(0),
    )
    assert.deepEqual(Uint8Array.from(raw.subarray(0, 9)), bytes(answer), before)
  }
})

test('a virtual sensor answers what is set, within its range', async () => {
  const options = optionsOf(driver, { range_ppm: 2000, warm_up: 0 })
  const device = new VirtualMhZ19()
  const port = linePort(device)
  const calibration = driver.calibration(await driver.initialise(port, options, instantTools()), options, readFault)
  const read = async () => {
    const decoded = driver.decode(
      await driver.acquire(port, options, instantTools(), new Uint8Array(0)),
      calibration,
      options,
    )
    assert.ok(!isFault(decoded))
    return decoded[0]
  }
  device.set('co2', 812)
  assert.deepEqual(await read(), { ageUs: 0, values: [812], quality: [QUALITY.good] })
  device.set('co2', 4000)
  assert.deepEqual((await read()).values, [2000])
  assert.throws(() => device.set('temperature', 20), RangeError)
})

test('baseline correction is touched only when the file says so', async () => {
  const device = new VirtualMhZ19()
  const start = (raw: object) => driver.initialise(linePort(device), optionsOf(driver, raw), instantTools())
  await start({})
  assert.equal(device.correctsItself, true)
  await start({ auto_baseline: false })
  assert.equal(device.correctsItself, false)
  await start({})
  assert.equal(device.correctsItself, false)
  await start({ auto_baseline: true })
  assert.equal(device.correctsItself, true)
})
