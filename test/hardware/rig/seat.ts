/** Where virtual devices are, with what a fault can do there. */
import type { VirtualDevice, VirtualI2cDevice, VirtualSpiDevice } from '#src/hub/drivers/contract/virtual-device'
import type { BusFault, BusServer } from '../bus-server.js'
import type { FileSeat } from './file-tree.js'
import type { LineSeat } from './line-wire.js'
import type { NetworkLine } from './network-line.js'
import type { SerialLine } from './serial-line.js'

/** What an unconnected data line reads when it is pulled up. */
const FLOATING: VirtualSpiDevice = {
  bus: 'spi',
  set() {},
  powerCycle() {},
  transfer: (frame) => new Uint8Array(frame.length).fill(0xff),
}

/** On a bus of the board, behind the shim. */
export class BoardSeat {
  readonly kind: 'i2c' | 'spi'
  /** Device node. */
  readonly path: string
  /** Of each transaction with this device. */
  fault: BusFault | undefined
  readonly #server: BusServer
  readonly #address: number | undefined

  /** @param address of I2C; absent: SPI */
  constructor(server: BusServer, path: string, address: number | undefined, device: VirtualDevice) {
    this.#server = server
    this.path = path
    this.#address = address
    this.kind = address === undefined ? 'spi' : 'i2c'
    this.replace(device)
  }

  /** Another chip, or none, in its place. */
  replace(device: VirtualDevice | undefined): void {
    const fault = () => this.fault
    if (this.#address === undefined) {
      this.#server.plugSpi(this.path, (device as VirtualSpiDevice | undefined) ?? FLOATING, fault)
    } else if (device === undefined) this.#server.unplugI2c(this.#busNumber, this.#address)
    else this.#server.plugI2c(this.#busNumber, this.#address, device as VirtualI2cDevice, fault)
  }

  /** Of each transaction on the whole bus. */
  disturbBus(fault: BusFault | undefined): void {
    this.#server.disturb(this.path, fault && (() => fault))
  }

  /** The device node cannot be opened. */
  refuseNode(errno: number | undefined): void {
    this.#server.refuse(this.path, errno)
  }

  get #busNumber(): number {
    return Number(/\d+$/.exec(this.path)![0])
  }
}

/** On a serial line or behind a TCP port. */
export interface WireSeat {
  readonly kind: 'serial' | 'tcp'
  readonly line: SerialLine | NetworkLine
  readonly seat: LineSeat
}

/** In files. */
export interface FilesSeat {
  readonly kind: 'file'
  readonly files: FileSeat
}

export type Seat = BoardSeat | WireSeat | FilesSeat
