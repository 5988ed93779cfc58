import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { TelemetryError } from '#core/errors/telemetry-error'
import { i2cFault, isNotInstalled, packageMissing, systemFault } from '#src/hub/buses/bus-fault'
import { openI2cLink } from '#src/hub/buses/i2c-link'
import { openSpiLink } from '#src/hub/buses/spi-link'

const system = (errno: number, code = '') => Object.assign(new Error(`${code}, something`), { errno, code })
const told = ({ details, message }: TelemetryError) => `${details.fault}: ${message}`

describe('faults of buses', () => {
  it('name what each error of an I2C transfer means', () => {
    const kinds = [
      [6, 'ENXIO', 'nack'],
      [19, 'ENODEV', 'nack'],
      [5, 'EIO', 'nack'],
      // As the package gives it: no code.
      [121, '', 'nack'],
      // As Node's own calls give them: negative.
      [-6, 'ENXIO', 'nack'],
      [110, 'ETIMEDOUT', 'timeout'],
      [16, 'EBUSY', 'busy'],
      [11, 'EAGAIN', 'io'],
      [95, 'EOPNOTSUPP', 'io'],
      [13, 'EACCES', 'permission'],
      [2, 'ENOENT', 'missing'],
      [71, 'EPROTO', 'io'],
    ] as const
    for (const [errno, code, kind] of kinds) {
      assert.equal(i2cFault(system(errno, code), 'address 0x76 of /dev/i2c-1').details.fault, kind, `${errno} ${code}`)
    }
    assert.equal(i2cFault(new Error('Odd'), 'address 0x76 of /dev/i2c-1').details.fault, 'io')
  })

  it('say what to do', () => {
    assert.match(told(i2cFault(system(16), 'address 0x76 of /dev/i2c-1')), /busy: .* bound by a driver of the kernel/)
    assert.match(told(systemFault(system(-13), '/dev/i2c-1', 'i2c')), /sudo usermod -aG i2c \$USER/)
    assert.match(told(systemFault(system(-13), '/dev/spidev0.0', 'spi')), /sudo usermod -aG spi \$USER/)
    assert.match(told(systemFault(system(-2), '/dev/spidev0.0', 'spi')), /missing: .*dtparam=spi=on/)
    assert.match(told(systemFault(system(90), '/dev/spidev0.0', 'spi')), /spidev\.bufsiz/)
    const missing = packageMissing('i2c-bus', 'I2C devices', '', new Error('Cannot find package'))
    assert.equal(missing.code, 'TLM_PACKAGE_MISSING')
    assert.match(told(missing), /package: .*npm install i2c-bus/)
  })

  it('tell a package that is not there from one that does not load', () => {
    assert.ok(isNotInstalled(Object.assign(new Error('Cannot find'), { code: 'ERR_MODULE_NOT_FOUND' })))
    assert.ok(isNotInstalled(new Error('Could not locate the bindings file. Tried: ...')))
    assert.ok(!isNotInstalled(new Error('Module did not self-register')))
  })

  it('come from the real packages where there is no hardware', async () => {
    const i2c = await openI2cLink({ kind: 'i2c', path: '/dev/i2c-250', clockHz: 100_000 })
    await assert.rejects(i2c.writeRead(0x76, Uint8Array.of(0xd0), 1), {
      code: 'TLM_READ_FAILED',
      details: { fault: 'missing' },
      message: /^There is no address 0x76 of \/dev\/i2c-250: enable I2C .*raspi-config/,
    })
    await i2c.close()
    await assert.rejects(openI2cLink({ kind: 'i2c', path: '/dev/nowhere', clockHz: 1 }), {
      code: 'TLM_BUS_UNAVAILABLE',
      details: { fault: 'missing' },
    })
    await assert.rejects(openI2cLink({ kind: 'i2c', path: '/dev/null', clockHz: 1 }), /is no I2C bus/)
    await assert.rejects(openSpiLink({ kind: 'spi', path: '/dev/spidev250.0', clockHz: 1, mode: 0 }), {
      code: 'TLM_BUS_UNAVAILABLE',
      details: { fault: 'missing' },
      message: /^There is no \/dev\/spidev250\.0: enable SPI/,
    })
  })
})
