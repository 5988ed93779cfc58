import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { constants } from 'node:os'
import { after, describe, it } from 'node:test'
import { promisify } from 'node:util'
import type { VirtualI2cDevice, VirtualSpiDevice } from '#src/hub/drivers/contract/virtual-device'
import { repositoryFile } from '#test/support/repository'
import { temporaryDirectory } from '#test/support/temporary-directory'
import { BusServer } from './bus-server.js'
import { shimmed } from './shim.js'

const directory = await temporaryDirectory('shim')
const server = await BusServer.start(directory)
after(() => server.close())
const env = { ...process.env, ...shimmed(directory, server.socketPath) }

interface Outcome {
  value?: unknown
  errno?: number
  code?: string
}

async function calls(...steps: unknown[]): Promise<Outcome[]> {
  const program = repositoryFile('dist/test/hardware/inside/bus-calls.js')
  const { stdout } = await promisify(execFile)(process.execPath, [program, JSON.stringify(steps)], {
    env,
    timeout: 20_000,
  })
  return JSON.parse(stdout) as Outcome[]
}

/** 256 registers, a pointer that counts up, nothing else. */
class Registers implements VirtualI2cDevice {
  readonly bus = 'i2c'
  readonly bytes = Uint8Array.from({ length: 256 }, (_, register) => register ^ 0x5a)
  #pointer = 0

  set(): void {}

  powerCycle(): void {}

  write([register, ...values]: Uint8Array): number {
    if (register === undefined) return 0
    this.#pointer = register
    for (const value of values) this.bytes[this.#pointer++ & 0xff] = value
    return values.length + 1
  }

  read(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.bytes[this.#pointer++ & 0xff]!)
  }
}

const echo: VirtualSpiDevice = {
  bus: 'spi',
  set() {},
  powerCycle() {},
  transfer: (frame) => frame.map((byte, place) => (byte + place) & 0xff),
}

describe('the packages over virtual buses', () => {
  const chip = new Registers()
  server.plugI2c(1, 0x76, chip)
  server.plugSpi('/dev/spidev0.1', echo)

  it('read and write registers by SMBus and by plain I2C', async () => {
    const outcomes = await calls(
      ['i2c', 1, 'readByte', 0x76, 0xd0],
      ['i2c', 1, 'readWord', 0x76, 0x10],
      ['i2c', 1, 'writeByte', 0x76, 0x20, 0x99],
      ['i2c', 1, 'readI2cBlock', 0x76, 0x1f, 3],
      ['i2c', 1, 'i2cWrite', 0x76, 0x40],
      ['i2c', 1, 'i2cRead', 0x76, 4],
    )
    const [byte, word, , block, written, plain] = outcomes.map(({ value }) => value)
    assert.equal(byte, 0xd0 ^ 0x5a)
    assert.equal(word, (0x10 ^ 0x5a) | ((0x11 ^ 0x5a) << 8), 'low byte first')
    assert.deepEqual(block, [0x1f ^ 0x5a, 0x99, 0x21 ^ 0x5a])
    assert.equal(written, 'written')
    assert.deepEqual(
      plain,
      [0x40, 0x41, 0x42, 0x43].map((register) => register ^ 0x5a),
    )
  })

  it('exchange SPI frames, chip select high between them', async () => {
    const [outcome] = await calls([
      'spi',
      '0.1',
      [
        [1, 2, 3],
        [10, 10],
      ],
    ])
    assert.deepEqual(outcome!.value, [
      [1, 3, 5],
      [10, 11],
    ])
  })

  it('report what the kernel would: no device node, nobody at an address, a chip that the kernel holds', async () => {
    server.bindByKernel(1, 0x77)
    server.plugI2c(1, 0x77, new Registers())
    server.refuse('/dev/i2c-4', constants.errno.EACCES)
    const outcomes = await calls(
      ['i2c', 9, 'readByte', 0x76, 0],
      ['i2c', 1, 'readByte', 0x11, 0],
      ['i2c', 1, 'readByte', 0x77, 0],
      ['i2c', 4, 'readByte', 0x76, 0],
      ['spi', '7.0', [[0]]],
    )
    const names = Object.fromEntries(Object.entries(constants.errno).map(([name, number]) => [number, name]))
    const found = outcomes.map(({ errno, code }) => code || names[Math.abs(errno ?? 0)])
    assert.deepEqual(found, ['ENOENT', 'ENXIO', 'EBUSY', 'EACCES', 'ENOENT'])
  })

  it('report the faults that are put on a bus, and go on when they end', async () => {
    let left = 2
    const { EREMOTEIO = 121 } = constants.errno as Record<string, number>
    server.disturb('/dev/i2c-1', () => (left-- > 0 ? { errno: EREMOTEIO } : undefined))
    const read = ['i2c', 1, 'readByte', 0x76, 0xd0]
    const [first, second, third] = await calls(read, read, read)
    server.disturb('/dev/i2c-1', undefined)
    assert.equal(Math.abs(first!.errno ?? 0), EREMOTEIO)
    assert.equal(Math.abs(second!.errno ?? 0), EREMOTEIO)
    assert.equal(third!.value, 0xd0 ^ 0x5a)
  })

  it('serve many calls at once', async () => {
    const many = Array.from({ length: 100 }, (_, n) => ['i2c', 1, 'readI2cBlock', 0x76, n, 1])
    const outcomes = await calls(many)
    assert.deepEqual(
      outcomes.map(({ value }) => value),
      many.map((_, n) => [n === 0x20 ? 0x99 : n ^ 0x5a]),
    )
  })
})
