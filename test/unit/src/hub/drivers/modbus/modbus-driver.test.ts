import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { QUALITY } from '#core/model/quality'
import { crc16Modbus } from '#src/hub/drivers/checksum/checksums'
import { readFault } from '#src/hub/drivers/contract/fault'
import type { AnswerLength, LinePort } from '#src/hub/drivers/contract/ports'
import type { VirtualLineDevice } from '#src/hub/drivers/contract/virtual-device'
import { RTU_FRAMING } from '#src/hub/drivers/modbus/rtu-framing'
import { driver as rtu } from '#src/hub/drivers/modbus-rtu/driver'
import { driver as tcp } from '#src/hub/drivers/modbus-tcp/driver'
import { optionsOf } from '#test/support/driver-rig'
import { faultLike, instantTools } from '#test/support/instant-tools'
import { linePort } from '#test/support/virtual-ports'

const NO_SETUP = new Uint8Array(0)

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'))
const withCrc = (hex: string) => {
  const body = bytes(hex)
  const crc = crc16Modbus(body)
  return Uint8Array.of(...body, crc & 0xff, crc >> 8)
}

/** A line on which these bytes come, one by one, after any request. */
function lineWith(...answers: (Uint8Array | ((request: Uint8Array) => Uint8Array))[]): LinePort & { sent: string[] } {
  const sent: string[] = []
  return {
    sent,
    kind: 'serial',
    baudRate: 9600,
    bitsPerByte: 10,
    write: async () => {},
    async exchange(request: Uint8Array, length: AnswerLength) {
      sent.push(Buffer.from(request).toString('hex'))
      const given = answers.shift() ?? new Uint8Array(0)
      const answer = typeof given === 'function' ? given(request) : given
      for (let count = 1; count <= answer.length; count++) {
        const whole = length(answer.subarray(0, count))
        if (whole !== undefined && count >= whole) return answer.slice(0, whole)
      }
      throw readFault(answer.length === 0 ? 'timeout' : 'short', `${answer.length} bytes came.`)
    },
  }
}

const METER = {
  registers: {
    voltage: { holding: 0, scale: 0.1, unit: 'V' },
    energy: { input: 5, type: 'u32', order: 'CDAB', scale: 0.001, unit: 'kWh' },
    alarm: { discrete: 3 },
  },
}
const two = () => optionsOf(rtu, { registers: { a: { holding: 0 }, b: { holding: 1, type: 'i16' } } })

describe('a Modbus RTU device', () => {
  it('sends the golden request: ten registers from 0 of unit 1 end with C5 CD', async () => {
    assert.deepEqual(RTU_FRAMING.wrap(1, bytes('03 0000 000a')), bytes('01 03 0000 000a c5 cd'))
    const port = lineWith(withCrc(`01 03 14 ${'0001'.repeat(10)}`))
    const registers = Object.fromEntries(Array.from({ length: 10 }, (_, at) => [`r${at}`, { holding: at }]))
    await rtu.acquire(port, optionsOf(rtu, { registers }), instantTools(), NO_SETUP)
    assert.deepEqual(port.sent, ['01030000000ac5cd'])
  })

  it('reads the examples of the standard: input register 9 is 000A, coils 20 to 38 are CD 6B 05', async () => {
    const coils = Object.fromEntries(Array.from({ length: 19 }, (_, at) => [`c${at + 20}`, { document: at + 20 }]))
    const options = optionsOf(rtu, { unit_id: 17, registers: { level: { document: 30009 }, ...coils } })
    const port = lineWith(withCrc('11 01 03 cd6b05'), withCrc('11 04 02 000a'))
    const raw = await rtu.acquire(port, options, instantTools(), NO_SETUP)
    assert.deepEqual(
      port.sent.map((frame) => frame.slice(0, 12)),
      ['110100130013', '110400080001'],
    )
    const [reading] = rtu.decode(raw, rtu.calibration(new Uint8Array(0), options, readFault), options) as never as [
      { values: number[] },
    ]
    assert.deepEqual(reading.values, [10, ...[1, 0, 1, 1, 0, 0, 1, 1, 1, 1, 0, 1, 0, 1, 1, 0, 1, 0, 1]])
  })

  for (const [name, driver] of [
    ['rtu', rtu],
    ['tcp', tcp],
  ] as const) {
    it(`reads back what a virtual slave senses (${name})`, async () => {
      const options = optionsOf(driver, METER)
      const device = driver.emulate(options, driver.manifest.buses[0]) as VirtualLineDevice
      device.set('voltage', 230.1)
      device.set('energy', 1234.567)
      device.set('alarm', 1)
      const port = linePort(device, name === 'tcp' ? 'tcp' : 'serial')
      const calibrationBytes = await driver.initialise(port, options, instantTools())
      const raw = await driver.acquire(port, options, instantTools(), NO_SETUP)
      const calibration = driver.calibration(calibrationBytes, options, readFault)
      const decoded = driver.decode(raw, calibration, options) as readonly { values: ArrayLike<number> }[]
      assert.deepEqual(
        Array.from(decoded[0].values, (value) => Math.round(value * 1000) / 1000),
        [230.1, 1234.567, 1],
      )
      assert.throws(() => device.set('current', 1), RangeError)
    })

    it(`is told by a slave that lacks a register, with the meaning of its refusal (${name})`, async () => {
      const has = optionsOf(driver, { registers: { a: { holding: 0 } } })
      const wants = optionsOf(driver, { registers: { a: { holding: 0 }, b: { holding: 1 } } })
      const port = linePort(driver.emulate(has, 'tcp') as VirtualLineDevice)
      const error = faultLike('exception', /holding registers 0 to 1: exception 2, illegal data address.*correct/)
      await assert.rejects(driver.acquire(port, wants, instantTools(), NO_SETUP), error)
    })
  }

  it('marks a float that is no number as not measured', async () => {
    const options = optionsOf(rtu, { registers: { a: { holding: 0, type: 'f32' }, b: { holding: 2, type: 'f32' } } })
    const raw = withCrc('01 03 08 7fc00000 7f800000')
    const decoded = rtu.decode(raw, rtu.calibration(new Uint8Array(0), options, readFault), options)
    const { sentinel } = QUALITY
    assert.deepEqual(decoded, [{ ageUs: 0, values: [Number.NaN, Number.NaN], quality: [sentinel, sentinel] }])
  })

  it('makes a pause between requests, and none before the first', async () => {
    const options = optionsOf(rtu, { ...METER, pause_between_requests: '5ms' })
    const tools = instantTools()
    await rtu.acquire(linePort(rtu.emulate(options, 'serial') as VirtualLineDevice), options, tools, NO_SETUP)
    assert.deepEqual(tools.pausesMs, [5, 5])
  })

  it('reads past noise before the answer', async () => {
    const alone = lineWith(bytes('00ff00ff'))
    await assert.rejects(rtu.acquire(alone, two(), instantTools(), NO_SETUP), faultLike('short', /4 bytes/))
    const answer = withCrc('01 03 04 0001 ffff')
    for (const noise of ['00', 'ff', '00ff', '01', '0103', '0103ff', '8301']) {
      const got = await rtu.acquire(
        lineWith(Uint8Array.of(...bytes(noise), ...answer)),
        two(),
        instantTools(),
        NO_SETUP,
      )
      assert.deepEqual(Buffer.from(got), Buffer.from(answer), noise)
    }
  })

  it('passes over the answer of another unit and a late one of its own', async () => {
    const answer = withCrc('01 03 04 0001 ffff')
    const others = Uint8Array.of(...withCrc('02 03 02 0007'), ...withCrc('01 03 02 0007'), ...answer)
    assert.deepEqual(
      Buffer.from(await rtu.acquire(lineWith(others), two(), instantTools(), NO_SETUP)),
      Buffer.from(answer),
    )
    const stranger = lineWith(withCrc('02 03 04 0001 0002'))
    await assert.rejects(
      rtu.acquire(stranger, two(), instantTools(), NO_SETUP),
      faultLike('wrong_source', /unit 2 answered/),
    )
    const late = lineWith(withCrc('01 03 02 0007'))
    await assert.rejects(
      rtu.acquire(late, two(), instantTools(), NO_SETUP),
      faultLike('wrong_source', /earlier request/),
    )
  })

  it('passes over its own request when the transceiver hears itself', async () => {
    // Address 0x0400: the request begins as the answer does.
    const options = optionsOf(rtu, { registers: { a: { holding: 0x0400, type: 'u32' } } })
    const echo = withCrc('01 03 0400 0002')
    const answer = withCrc('01 03 04 0001 ffff')
    for (const at of [options, two()]) {
      const port = lineWith((request) => Uint8Array.of(...request, ...answer))
      assert.deepEqual(Buffer.from(await rtu.acquire(port, at, instantTools(), NO_SETUP)), Buffer.from(answer))
    }
    const noAnswer = faultLike('timeout', /no device answered/)
    await assert.rejects(rtu.acquire(lineWith(echo), options, instantTools(), NO_SETUP), noAnswer)
    const cut = lineWith(echo.subarray(0, 5))
    await assert.rejects(rtu.acquire(cut, options, instantTools(), NO_SETUP), faultLike('short', /5 bytes/))
    const damaged = Uint8Array.from(answer)
    damaged[5] ^= 1
    const spoilt = lineWith(Uint8Array.of(...echo, ...damaged))
    await assert.rejects(rtu.acquire(spoilt, options, instantTools(), NO_SETUP), faultLike('crc', /CRC/))
  })

  it('names a damaged answer, a cut one and none at all', async () => {
    const damaged = withCrc('01 03 04 0001 ffff')
    damaged[4] ^= 1
    await assert.rejects(
      rtu.acquire(lineWith(damaged), two(), instantTools(), NO_SETUP),
      faultLike('crc', /CRC does not fit/),
    )
    const cut = withCrc('01 03 04 0001 ffff').subarray(0, 8)
    await assert.rejects(rtu.acquire(lineWith(cut), two(), instantTools(), NO_SETUP), faultLike('short', /8 bytes/))
    await assert.rejects(rtu.acquire(lineWith(), two(), instantTools(), NO_SETUP), faultLike('timeout', /0 bytes/))
  })

  it('explains each refusal', async () => {
    for (const [code, text] of [
      [1, /illegal function/],
      [4, /device failure/],
      [6, /busy/],
      [11, /gateway/],
      [99, /does not name/],
    ] as const) {
      const port = lineWith(withCrc(`01 83 ${code.toString(16).padStart(2, '0')}`))
      await assert.rejects(rtu.acquire(port, two(), instantTools(), NO_SETUP), faultLike('exception', text))
    }
  })

  it('refuses another device than the one configured', async () => {
    const is = optionsOf(rtu, { ...METER, identity: { holding: 40, value: 7 } })
    const port = linePort(rtu.emulate(is, 'serial') as VirtualLineDevice)
    assert.equal((await rtu.initialise(port, is, instantTools())).length, 0)
    const other = optionsOf(rtu, { ...METER, identity: { holding: 40, value: 8 } })
    await assert.rejects(
      rtu.initialise(port, other, instantTools()),
      faultLike('identity', /has 7 in holding register 40, not 8/),
    )
    const changed = rtu.acquire(port, other, instantTools(), NO_SETUP)
    await assert.rejects(changed, faultLike('identity', /has 7/), 'also when it is changed between two readings')
  })

  it('counts what an acquisition costs: every request and its answer', () => {
    const { transactions, conversionMs, answerMs } = rtu.cost(optionsOf(rtu, { ...METER, pause_between_requests: 5 }))
    assert.deepEqual(transactions, [{ bytes: 8 + 6 }, { bytes: 8 + 7 }, { bytes: 8 + 9 }])
    assert.equal(conversionMs, 10)
    assert.equal(answerMs, 30)
  })
})

describe('a Modbus TCP device', () => {
  const one = () => optionsOf(tcp, { unit_id: 9, registers: { a: { holding: 0 } } })
  const reply = (request: Uint8Array, hex: string, shift = 0) => {
    const answer = bytes(`0000 0000 0005 09 03 02 ${hex}`)
    answer.set([request[0], (request[1] + shift) & 0xff])
    return answer
  }

  it('sends the header of the standard', async () => {
    const port = lineWith((request) => reply(request, '002a'))
    const raw = await tcp.acquire(port, one(), instantTools(), NO_SETUP)
    assert.match(port.sent[0], /^.{4}0000000609030000 ?0001$/)
    const [{ values }] = tcp.decode(raw, tcp.calibration(new Uint8Array(0), one(), readFault), one()) as never as [
      { values: number[] },
    ]
    assert.deepEqual(values, [42])
  })

  it('passes over answers to earlier requests, and says so when no other comes', async () => {
    const late = (request: Uint8Array) => reply(request, '0007', 3)
    const port = lineWith((request) => Uint8Array.of(...late(request), ...late(request), ...reply(request, '002a')))
    assert.equal((await tcp.acquire(port, one(), instantTools(), NO_SETUP)).at(-1), 42)
    await assert.rejects(
      tcp.acquire(lineWith(late), one(), instantTools(), NO_SETUP),
      faultLike('wrong_source', /earlier requests/),
    )
  })

  it('refuses the answer of another unit, and what is no Modbus TCP', async () => {
    const other = lineWith((request) => Uint8Array.of(...reply(request, '0001').subarray(0, 6), 8, 3, 2, 0, 1))
    await assert.rejects(
      tcp.acquire(other, one(), instantTools(), NO_SETUP),
      faultLike('wrong_source', /unit 8 answered/),
    )
    const http = lineWith(Buffer.from('HTTP/1.1 400 Bad Request'))
    await assert.rejects(tcp.acquire(http, one(), instantTools(), NO_SETUP), faultLike('decode', /no Modbus TCP/))
  })
})
