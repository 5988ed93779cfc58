import { createServer, type Server, type Socket } from 'node:net'
import { constants } from 'node:os'
import { join } from 'node:path'
import type { VirtualI2cDevice, VirtualSpiDevice } from '#src/hub/drivers/contract/virtual-device'

const { ENOENT, ENXIO, EIO } = constants.errno

/** What becomes of one transaction: an error of the kernel (errno), or bytes that are changed on their way back. */
export interface BusFault {
  /** Positive; the transaction fails with it. */
  errno?: number
  /** Changes what the device gave; must keep the length. */
  garble?: (bytes: Uint8Array) => void
  /** The answer is so late. Milliseconds. */
  lateMs?: number
}

/** Decides over each transaction, before it reaches the device. */
export type FaultSource = () => BusFault | undefined

interface Seat<Device> {
  device: Device
  fault: FaultSource
}

const NO_FAULT: FaultSource = () => undefined

/**
 * The buses of a machine that has none: what the shim under a program passes on reaches virtual devices here.
 * See shim/bus-shim.c for the wire format.
 */
export class BusServer {
  readonly socketPath: string
  readonly #server: Server
  /** Device nodes that there are, with or without chips behind them. */
  readonly #nodes = new Set<string>()
  readonly #i2c = new Map<string, Seat<VirtualI2cDevice>>()
  readonly #spi = new Map<string, Seat<VirtualSpiDevice>>()
  readonly #busFaults = new Map<string, FaultSource>()
  /** Addresses that a driver of the kernel holds. */
  readonly #bound = new Set<string>()
  /** Device nodes that are not there, or may not be opened: errno by path. */
  readonly #refused = new Map<string, number>()
  readonly #sockets = new Set<Socket>()
  /** Transactions by device node, for tests. */
  readonly transactions = new Map<string, number>()

  private constructor(socketPath: string) {
    this.socketPath = socketPath
    this.#server = createServer((socket) => this.#serve(socket))
  }

  /** @param directory for its socket; the path must stay below 100 characters */
  static async start(directory: string): Promise<BusServer> {
    const server = new BusServer(join(directory, 'buses.sock'))
    await new Promise<void>((resolve) => server.#server.listen(server.socketPath, resolve))
    return server
  }

  /** Puts a chip on `/dev/i2c-<bus>`; in the place of one that is there. */
  plugI2c(bus: number, address: number, device: VirtualI2cDevice, fault: FaultSource = NO_FAULT): void {
    this.#nodes.add(`/dev/i2c-${bus}`)
    this.#i2c.set(seatOf(`/dev/i2c-${bus}`, address), { device, fault })
  }

  unplugI2c(bus: number, address: number): void {
    this.#i2c.delete(seatOf(`/dev/i2c-${bus}`, address))
  }

  /** Puts a chip on a chip select such as `/dev/spidev0.0`. */
  plugSpi(path: string, device: VirtualSpiDevice, fault: FaultSource = NO_FAULT): void {
    this.#nodes.add(path)
    this.#spi.set(path, { device, fault })
  }

  /** A fault of the whole bus, e.g. a line that is held down. */
  disturb(path: string, fault: FaultSource | undefined): void {
    if (fault === undefined) this.#busFaults.delete(path)
    else this.#busFaults.set(path, fault)
  }

  /** The kernel has a driver of its own for the chip. */
  bindByKernel(bus: number, address: number): void {
    this.#bound.add(seatOf(`/dev/i2c-${bus}`, address))
  }

  /** The device node cannot be opened from now on; `undefined`: it can again. */
  refuse(path: string, errno: number | undefined): void {
    if (errno === undefined) this.#refused.delete(path)
    else this.#refused.set(path, errno)
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }

  #serve(socket: Socket): void {
    let path = ''
    let pending = Buffer.alloc(0)
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket))
    socket.on('error', () => socket.destroy())
    const answer = (errno: number, bytes: Uint8Array = new Uint8Array()) => {
      const head = Buffer.alloc(8)
      head.writeUInt32LE(bytes.length + 4, 0)
      head.writeUInt32LE(errno, 4)
      socket.write(Buffer.concat([head, bytes]))
    }
    socket.on('data', (bytes) => {
      pending = Buffer.concat([pending, bytes])
      // A client asks again only when it has its answer: there is one request at a time.
      if (pending.length < 5 || pending.length < 4 + pending.readUInt32LE(0)) return
      const kind = String.fromCharCode(pending[4])
      const body = pending.subarray(5)
      pending = Buffer.alloc(0)
      if (kind === 'o') {
        path = body.toString()
        return answer(this.#opened(path))
      }
      if (kind === 'a') return answer(this.#bound.has(seatOf(path, body.readUInt16LE(0))) ? constants.errno.EBUSY : 0)
      this.transactions.set(path, (this.transactions.get(path) ?? 0) + 1)
      const { result, lateMs } = kind === 'i' ? this.#i2cTransfer(path, body) : this.#spiTransfer(path, body)
      const reply = () => (typeof result === 'number' ? answer(result) : answer(0, result))
      if (lateMs > 0) setTimeout(reply, lateMs)
      else reply()
    })
  }

  #opened(path: string): number {
    return this.#refused.get(path) ?? (this.#nodes.has(path) ? 0 : ENOENT)
  }

  #i2cTransfer(path: string, body: Buffer): Outcome {
    const seat = this.#i2c.get(seatOf(path, body.readUInt16LE(0)))
    return this.#withFaults(path, seat?.fault, () => {
      if (seat === undefined) return ENXIO
      const answers: Uint8Array[] = []
      for (let at = 2; at < body.length; ) {
        const isRead = body[at] === 1
        const length = body.readUInt16LE(at + 1)
        at += 3
        if (isRead) {
          const bytes = seat.device.read(length)
          if (bytes === undefined) return ENXIO
          answers.push(bytes)
        } else {
          if (seat.device.write(Uint8Array.from(body.subarray(at, at + length))) < length) return EIO
          at += length
        }
      }
      return Buffer.concat(answers)
    })
  }

  #spiTransfer(path: string, body: Buffer): Outcome {
    const seat = this.#spi.get(path)
    return this.#withFaults(path, seat?.fault, () => {
      if (seat === undefined) return EIO
      const answers: Uint8Array[] = []
      let frame: Uint8Array[] = []
      for (let at = 4; at < body.length; ) {
        const rises = body[at] === 1
        const length = body.readUInt16LE(at + 1)
        frame.push(Uint8Array.from(body.subarray(at + 3, at + 3 + length)))
        at += 3 + length
        if (!rises && at < body.length) continue
        answers.push(seat.device.transfer(Buffer.concat(frame)))
        frame = []
      }
      return Buffer.concat(answers)
    })
  }

  #withFaults(path: string, ofDevice: FaultSource | undefined, transfer: () => Uint8Array | number): Outcome {
    const fault = this.#busFaults.get(path)?.() ?? ofDevice?.()
    const lateMs = fault?.lateMs ?? 0
    if (fault?.errno !== undefined) return { result: fault.errno, lateMs }
    const result = transfer()
    if (typeof result === 'number' || fault?.garble === undefined) return { result, lateMs }
    const garbled = Uint8Array.from(result)
    fault.garble(garbled)
    return { result: garbled, lateMs }
  }
}

interface Outcome {
  result: Uint8Array | number
  lateMs: number
}

function seatOf(path: string, address: number): string {
  return `${path} ${address}`
}
