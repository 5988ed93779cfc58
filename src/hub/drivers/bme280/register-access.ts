import type { I2cPort, SpiPort } from '../contract/ports.js'

export type Bme280Port = I2cPort | SpiPort

/** Over SPI bit 7 of the register says read (datasheet section 6.3.2). */
const READ = 0x80

/** One burst in one transaction: only so does the chip keep the bytes of one measurement together (section 4). */
export async function readRegisters(port: Bme280Port, from: number, count: number): Promise<Uint8Array> {
  if (port.kind === 'i2c') return port.writeRead(Uint8Array.of(from), count)
  const frame = new Uint8Array(1 + count)
  frame[0] = from | READ
  const [answer] = await port.transfer([frame])
  return answer.subarray(1)
}

/** Writes registers one after another, in one transaction: address and value in pairs, the address does not count up. */
export async function writeRegisters(port: Bme280Port, ...pairs: readonly [register: number, value: number][]) {
  if (port.kind === 'i2c') await port.write(Uint8Array.from(pairs.flat()))
  else await port.transfer([Uint8Array.from(pairs.flatMap(([register, value]) => [register & ~READ, value]))])
}
