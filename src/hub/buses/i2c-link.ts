import { realpath } from 'node:fs/promises'
import { constants } from 'node:os'
import { readFault } from '../drivers/contract/fault.js'
import { errnoOf, i2cFault, isNotInstalled, packageMissing, systemFault, unavailable } from './bus-fault.js'
import type { I2cLink } from './bus-link.js'
import type { I2cBusSettings } from './bus-settings.js'

/** What we use of package `i2c-bus`, which has no types of its own. */
interface I2cPackage {
  openPromisified(busNumber: number): Promise<PackageBus>
}

interface PackageBus {
  i2cWrite(address: number, length: number, bytes: Buffer): Promise<{ bytesWritten: number }>
  i2cRead(address: number, length: number, into: Buffer): Promise<{ bytesRead: number }>
  /** Writes `command`, then reads after a repeated start; at most 32 bytes. */
  readI2cBlock(address: number, command: number, length: number, into: Buffer): Promise<{ bytesRead: number }>
  close(): Promise<void>
}

/** Of a read after a repeated start; the kernel's SMBus calls take no more. */
const BLOCK_BYTES = 32

/**
 * Opens an I2C bus through package `i2c-bus`, which is loaded here and nowhere else. The package is not context-aware:
 * it may be loaded in one thread of a process only, the hub's main thread.
 *
 * @throws TLM_PACKAGE_MISSING, TLM_BUS_UNAVAILABLE
 */
export async function openI2cLink({ path }: I2cBusSettings): Promise<I2cLink> {
  const number = await busNumber(path)
  const i2c = await loadPackage()
  return new PackageI2cLink(i2c, await i2c.openPromisified(number), number, path)
}

async function loadPackage(): Promise<I2cPackage> {
  try {
    // No literal: the package has no types and need not be there.
    const name: string = 'i2c-bus'
    const module = (await import(name)) as { default: I2cPackage }
    return module.default
  } catch (error) {
    if (!isNotInstalled(error)) throw unavailable('package', `Package i2c-bus cannot be loaded: ${error}.`, error)
    throw packageMissing('i2c-bus', 'I2C devices', ' (it is compiled: "sudo apt install build-essential")', error)
  }
}

/** The package takes the number only; links such as udev makes them are followed. */
async function busNumber(path: string): Promise<number> {
  let target: string
  try {
    // The package opens the bus at the first transfer: what is missing is said now.
    target = await realpath(path)
  } catch (error) {
    // Under a preload that stands in for the kernel the node itself is not there.
    if (!/^\/dev\/i2c-\d+$/.test(path)) {
      const fault = systemFault(error, path, 'i2c')
      throw unavailable('missing', fault.message, error)
    }
    target = path
  }
  const match = /^\/dev\/i2c-(\d+)$/.exec(target)
  if (match === null) throw unavailable('missing', `${path} is no I2C bus: give a path such as /dev/i2c-1.`)
  return Number(match[1])
}

class PackageI2cLink implements I2cLink {
  readonly kind = 'i2c'
  readonly endsInTime = false
  readonly isLost = false
  readonly #package: I2cPackage
  readonly #number: number
  readonly #path: string
  #bus: PackageBus | undefined

  constructor(i2c: I2cPackage, bus: PackageBus, number: number, path: string) {
    this.#package = i2c
    this.#bus = bus
    this.#number = number
    this.#path = path
  }

  async write(address: number, bytes: Uint8Array): Promise<void> {
    const buffer = Buffer.from(bytes)
    const { bytesWritten } = await this.#call(address, (bus) => bus.i2cWrite(address, buffer.length, buffer))
    if (bytesWritten < buffer.length) throw this.#short(address, bytesWritten, buffer.length)
  }

  async read(address: number, count: number): Promise<Uint8Array> {
    const buffer = Buffer.alloc(count)
    const { bytesRead } = await this.#call(address, (bus) => bus.i2cRead(address, count, buffer))
    if (bytesRead < count) throw this.#short(address, bytesRead, count)
    return buffer
  }

  /**
   * A repeated start is all that the package has for one command byte and at most 32 bytes; what is longer is written
   * and read in two transfers with a stop between them, which nobody else on this bus can come between.
   */
  async writeRead(address: number, bytes: Uint8Array, count: number): Promise<Uint8Array> {
    if (bytes.length !== 1 || count < 1 || count > BLOCK_BYTES) {
      await this.write(address, bytes)
      return this.read(address, count)
    }
    const buffer = Buffer.alloc(count)
    const { bytesRead } = await this.#call(address, (bus) => bus.readI2cBlock(address, bytes[0], count, buffer))
    if (bytesRead < count) throw this.#short(address, bytesRead, count)
    return buffer
  }

  async close(): Promise<void> {
    const bus = this.#bus
    this.#bus = undefined
    await bus?.close().catch(() => {})
  }

  async #call<T>(address: number, transfer: (bus: PackageBus) => Promise<T>): Promise<T> {
    try {
      this.#bus ??= await this.#package.openPromisified(this.#number)
      return await transfer(this.#bus)
    } catch (error) {
      // The package keeps the descriptor whose address could not be set, and would talk to address 0 through it.
      if (errnoOf(error) === constants.errno.EBUSY) await this.close()
      throw i2cFault(error, `address 0x${address.toString(16)} of ${this.#path}`)
    }
  }

  #short(address: number, got: number, wanted: number) {
    const at = `Address 0x${address.toString(16)} of ${this.#path}`
    return readFault('short', `${at} took or gave ${got} of ${wanted} bytes: check wiring and the length of cables.`)
  }
}
