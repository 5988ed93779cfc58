import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc8, crc16Modbus, crc32, sum8, xor8 } from '#src/hub/drivers/checksum/checksums'
import { frameChecksumFits, stripChecksum } from '#src/hub/drivers/text/checksummed-line'
import { GarbleWatch, isGarbled } from '#src/hub/drivers/text/garbled'
import { StructLayout } from '#src/hub/drivers/text/struct-layout'

const CHECK = Buffer.from('123456789')
const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'))

test('checksums of 123456789 are those of the catalogue', () => {
  assert.equal(xor8(CHECK), 0x31)
  assert.equal(sum8(CHECK), 0xdd)
  assert.equal(crc8(CHECK), 0xf4)
  assert.equal(crc16Modbus(CHECK), 0x4b37)
  assert.equal(crc32(CHECK), 0xcbf43926)
})

test('a line is taken when its last digits are its checksum, of any kind', () => {
  const sums = { xor8: '31', sum8: 'DD', crc8: 'f4', 'crc16-modbus': '4B37', crc32: 'CBF43926' } as const
  for (const [kind, digits] of Object.entries(sums) as [keyof typeof sums, string][]) {
    assert.equal(String(stripChecksum(Buffer.from(`123456789*${digits} \r`), { kind })), '123456789', kind)
    assert.equal(stripChecksum(Buffer.from(`123456780*${digits}`), { kind }), 'checksum_wrong')
    assert.equal(stripChecksum(Buffer.from('123456789'), { kind }), 'checksum_missing')
    assert.equal(stripChecksum(Buffer.from(`123456789*${digits}0`), { kind }), 'checksum_missing')
  }
})

test('separator and first bytes are as the device has them', () => {
  assert.equal(
    String(stripChecksum(Buffer.from('$123456789;31'), { kind: 'xor8', separator: ';', skip: 1 })),
    '$123456789',
  )
  assert.equal(stripChecksum(Buffer.from('t=1*2*'), { kind: 'xor8' }), 'checksum_missing')
})

test('a frame ends with its checksum, the lowest byte first', () => {
  assert.ok(frameChecksumFits(Uint8Array.of(...CHECK, 0x37, 0x4b), { kind: 'crc16-modbus' }))
  assert.ok(frameChecksumFits(Uint8Array.of(...CHECK, 0x26, 0x39, 0xf4, 0xcb), { kind: 'crc32' }))
  assert.ok(!frameChecksumFits(Uint8Array.of(...CHECK, 0x4b, 0x37), { kind: 'crc16-modbus' }))
})

test('binary layouts are read as the struct module of Python does', () => {
  const layout = new StructLayout('<hHf')
  assert.equal(layout.bytes, 8)
  assert.deepEqual(layout.read(bytes('feff ffff 0000 2041')), [-2, 65535, 10])
  assert.deepEqual(new StructLayout('>hHf').read(bytes('fffe ffff 4120 0000')), [-2, 65535, 10])
  assert.deepEqual(
    new StructLayout('<bB?x2Hq').read(bytes('ff ff 07 00 0100 0200 ffffffffffffffff')),
    [-1, 255, 1, 1, 2, -1],
  )
  assert.deepEqual(
    new StructLayout('!IlQd').read(bytes('00000001 ffffffff 0000000000000002 3ff8000000000000')),
    [1, -1, 2, 1.5],
  )
  for (const wrong of ['hHf', '<', '<x', '<z', '<9999d', '<2000x']) {
    assert.throws(() => new StructLayout(wrong), { code: 'TLM_OPTIONS_INVALID' }, wrong)
  }
})

test('a burst of unreadable bytes is told once, a damaged byte here and there never', () => {
  const watch = new GarbleWatch()
  const text = Buffer.from('t=20.5 h=50 größe=1 \r\n'.repeat(40))
  assert.equal(watch.hear(text), false)
  const garbage = Buffer.from(Array.from({ length: 300 }, (_, at) => (at * 89) & 0xff))
  assert.equal(watch.hear(garbage), true)
  assert.equal(watch.hear(garbage), false, 'it is the same burst')
  assert.equal(watch.hear(text), false)
  assert.equal(watch.hear(garbage), true)
  const damaged = Buffer.from('温度=21.5,湿度=50\n'.repeat(50))
  for (let at = 0; at < damaged.length; at += 20) damaged[at] = 0xff
  assert.equal(new GarbleWatch().hear(damaged), false)
  assert.equal(isGarbled(new Uint8Array(0)), false)
})
