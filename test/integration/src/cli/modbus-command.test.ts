import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { VirtualLineDevice } from '#src/hub/drivers/contract/virtual-device'
import { driver as modbusTcp } from '#src/hub/drivers/modbus-tcp/driver'
import { optionsOf } from '#test/support/driver-rig'
import { hubCommand } from '#test/support/hub-command'
import { lineOverTcp } from '#test/support/line-over-tcp'

const registers = { energy: { holding: 0, type: 'f32', order: 'CDAB' }, count: { holding: 2, type: 'u32' } }
const meter = modbusTcp.emulate(optionsOf(modbusTcp, { unit_id: 3, registers }), 'tcp') as VirtualLineDevice
meter.set('energy', 231.5)
meter.set('count', 1234)
const bus = `127.0.0.1:${await lineOverTcp(meter)}`

describe('hub modbus guess', () => {
  it('shows registers in every type and order, and marks what a device could mean', async () => {
    const args = ['--bus', bus, '--unit', '3', '--holding', '0', '--count', '4']
    const { status, out, err } = await hubCommand(['modbus', 'guess', ...args])
    assert.equal(err, '')
    assert.equal(status, 0)
    const lines = out.split('\n').map((line) => line.replace(/ {2,}/g, '  '))
    assert.equal(lines[0], 'HOLDING  WORDS  TYPE  ORDER  VALUE')
    assert.ok(lines.includes('0  8000 4367  f32  CDAB  *  231.5'), out)
    assert.ok(lines.includes('2  0000 04d2  u32  ABCD  *  1234'), out)
    const plausible = lines.filter((line) => /^0 .* f32 /.test(line) && line.includes('*'))
    assert.equal(plausible.length, 1)
  })

  it('says what the device refuses', async () => {
    const args = ['--bus', bus, '--unit', '3', '--holding', '40001', '--count', '2']
    const { status, err } = await hubCommand(['modbus', 'guess', ...args])
    assert.equal(status, 1)
    assert.match(err, /^For holding registers 40001 to 40002: exception 2, illegal data address/)
  })

  it('refuses what it cannot ask', async () => {
    const cases: [string[], RegExp][] = [
      [['guess', '--holding', '0'], /^Which line\? Give --bus/],
      [['guess', '--bus', bus], /give --holding N or --input N/],
      [['guess', '--bus', bus, '--holding', '0', '--count', '126'], /--count must be a whole number from 1 to 125/],
      [['guess', '--bus', 'rs485', '--holding', '0'], /There is no bus rs485/],
      [['guess', '--bus', '/dev/i2c-1', '--holding', '0'], /no serial line and no HOST:PORT/],
      [['gues'], /the only word after it is guess/],
    ]
    for (const [args, message] of cases) {
      const { status, err } = await hubCommand(['modbus', ...args])
      assert.match(err, message)
      assert.equal(status, 2)
    }
  })
})
