import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { QUALITY } from '#core/model/quality'
import { type Decoded, isFault } from '#src/hub/drivers/contract/decoded'
import { readFault } from '#src/hub/drivers/contract/fault'
import { driver } from '#src/hub/drivers/ds18b20/driver'
import { dallasCrc, decodeW1Slave } from '#src/hub/drivers/ds18b20/scratchpad'
import { filePort } from '#test/support/virtual-ports'

const tools = { pause: async () => {}, fault: readFault }
const decode = (text: string) => decodeW1Slave(Buffer.from(text))

function slave(bytes: readonly number[], verdict = 'YES'): string {
  const all = [...bytes, dallasCrc(Uint8Array.from(bytes))]
  const hex = all.map((byte) => byte.toString(16).padStart(2, '0')).join(' ')
  return `${hex} : crc=${all.at(-1)!.toString(16)} ${verdict}\n${hex} t=0\n`
}

function only(decoded: Decoded) {
  assert.ok(!isFault(decoded), JSON.stringify(decoded))
  assert.equal(decoded.length, 1)
  return { value: decoded[0]!.values[0], quality: decoded[0]!.quality?.[0] }
}

describe('the DS18B20', () => {
  it("has Dallas's CRC: of the scratchpad at power-on 0x1C", () => {
    assert.equal(dallasCrc(Uint8Array.from([0x50, 0x05, 0x4b, 0x46, 0x7f, 0xff, 0x0c, 0x10])), 0x1c)
  })

  it("reads the example of the kernel's documentation", () => {
    const text = '72 01 4b 46 7f ff 0e 10 57 : crc=57 YES\n72 01 4b 46 7f ff 0e 10 57 t=23125\n'
    assert.deepEqual(only(decode(text)), { value: 23.125, quality: QUALITY.good })
  })

  // Datasheet 19-7487, table 1.
  for (const [register, celsius] of [
    [0x07d0, 125],
    [0x0191, 25.0625],
    [0x00a2, 10.125],
    [0x0008, 0.5],
    [0x0000, 0],
    [0xfff8, -0.5],
    [0xff5e, -10.125],
    [0xfe6f, -25.0625],
    [0xfc90, -55],
  ] as const) {
    it(`reads register 0x${register.toString(16)} as ${celsius} °C`, () => {
      const text = slave([register & 0xff, register >> 8, 0x4b, 0x46, 0x7f, 0xff, 0x0c, 0x10])
      assert.equal(only(decode(text)).value, celsius)
    })
  }

  it('ignores the bits that a lower resolution leaves undefined', () => {
    assert.equal(only(decode(slave([0x97, 0x01, 0x4b, 0x46, 0x1f, 0xff, 0x0c, 0x10]))).value, 25)
  })

  it('marks the register of before the first conversion', () => {
    const { value, quality } = only(decode(slave([0x50, 0x05, 0x4b, 0x46, 0x7f, 0xff, 0x0c, 0x10])))
    assert.deepEqual([value, quality], [85, QUALITY.sentinel])
  })

  for (const [what, text, fault] of [
    ['a flipped bit', '73 01 4b 46 7f ff 0e 10 57 : crc=57 YES\n', 'crc'],
    ['what the kernel calls wrong', '72 01 4b 46 7f ff 0e 10 57 : crc=56 NO\n', 'crc'],
    ['a line that nobody drives', `${'ff '.repeat(9)}: crc=c9 NO\n`, 'nack'],
    ['a line that is held low', `${'00 '.repeat(9)}: crc=00 YES\n`, 'io'],
    ['another text', 'temperature 20\n', 'decode'],
    ['nothing', '', 'decode'],
  ] as const) {
    it(`calls ${what} a fault of kind ${fault}`, () => {
      const decoded = decode(text)
      assert.ok(isFault(decoded))
      assert.equal(decoded.fault, fault)
      assert.match(decoded.message, /: /)
    })
  }

  it('measures what its virtual one senses, in the resolution that was asked for', async () => {
    const chip = driver.emulate({ resolution: 9 }, 'file')
    assert.ok(chip.bus === 'file')
    const port = filePort(chip)
    const setup = await driver.initialise(port, { resolution: 9 }, tools)
    chip.set('temperature', -3.3)
    const raw = await driver.acquire(port, { resolution: 9 }, tools, setup)
    assert.equal(only(driver.decode(raw, undefined, { resolution: 9 })).value, -3.5)
    chip.powerCycle()
    const reset = await driver.acquire(port, { resolution: 9 }, tools, setup)
    assert.equal(only(driver.decode(reset, undefined, { resolution: 9 })).quality, QUALITY.sentinel)
  })

  it('says which thermometers there are when it does not know which is meant', async () => {
    const files = ['28-0000000000aa', '28-0000000000bb', 'w1_bus_master1']
    const port = { ...filePort(driver.emulate({ resolution: 12 }, 'file') as never), list: async () => files }
    await assert.rejects(driver.initialise(port, { resolution: 12 }, tools), {
      details: { fault: 'identity' },
      message: /28-0000000000aa, 28-0000000000bb\. Say which/,
    })
    await assert.rejects(driver.initialise(port, { id: '28-0000000000cc', resolution: 12 }, tools), {
      details: { fault: 'missing' },
      message: /No thermometer 28-0000000000cc .*modprobe/,
    })
  })
})
