import { polledDriver } from '#src/hub/drivers/contract/polled-driver'
import type { I2cPort, SpiPort } from '#src/hub/drivers/contract/ports'

/** A small driver for I2C and SPI: register 0xD0 reads 0x60, register 0xF7 a value of two bytes. */
export const driver = polledDriver({
  kind: 'polled',
  manifest: {
    name: 'chip',
    summary: 'a test chip',
    source: 'none',
    buses: ['i2c', 'spi'],
    addresses: [0x76, 0x77],
    maxClockHz: 400_000,
  },
  channels: () => [{ name: 'level', quantity: 'level', unit: '%' }],
  cost: () => ({ transactions: [{ bytes: 5 }], conversionMs: 0 }),
  shortestEveryMs: () => 10,
  async initialise(port: I2cPort | SpiPort, _, tools) {
    const id = await register(port, 0xd0, 1)
    if (id[0] !== 0x60) throw tools.fault('identity', `The chip says it is 0x${id[0].toString(16)}, not 0x60.`)
    return id
  },
  acquire: (port: I2cPort | SpiPort) => register(port, 0xf7, 2),
  calibration: () => 0,
  decode: (raw) => [{ ageUs: 0, values: [raw[0] * 256 + raw[1]] }],
  emulate: () => {
    throw new Error('Tests have their own other end.')
  },
})

async function register(port: I2cPort | SpiPort, at: number, count: number): Promise<Uint8Array> {
  if (port.kind === 'i2c') return port.writeRead(Uint8Array.of(at), count)
  const [answer] = await port.transfer([Uint8Array.of(at, ...new Uint8Array(count))])
  return answer.subarray(1)
}
