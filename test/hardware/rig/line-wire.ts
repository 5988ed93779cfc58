import type { Socket } from 'node:net'
import type { VirtualLineDevice } from '#src/hub/drivers/contract/virtual-device'

/** What becomes of bytes that a device sends: all, fewer or other ones, and when. */
export interface LineFault {
  /** Bytes that reach the host instead. */
  change?: (bytes: Uint8Array) => Uint8Array
  /** So much later. Milliseconds. */
  lateMs?: number
}

/** One device on a line. */
export interface LineSeat {
  device: VirtualLineDevice | undefined
  fault: LineFault | undefined
}

/** The devices at the far end of a serial line or a TCP connection, with faults between them and the host. */
export class LineWire {
  readonly #seats: LineSeat[] = []
  readonly #timers = new Set<NodeJS.Timeout>()
  readonly #sockets = new Set<Socket>()
  /** Of the line itself, e.g. another baud rate; after what a device's own fault made of its bytes. */
  fault: LineFault | undefined
  /** Hears each time the host has sent something. */
  onHeard = () => {}

  get seats(): readonly LineSeat[] {
    return this.#seats
  }

  add(device: VirtualLineDevice): LineSeat {
    const seat: LineSeat = { device, fault: undefined }
    this.#seats.push(seat)
    if (this.#sockets.size > 0) this.#connect(seat)
    return seat
  }

  /** Another device, or none, in the place of the one that is there. */
  replace(seat: LineSeat, device: VirtualLineDevice | undefined): void {
    seat.device?.disconnect()
    seat.device = device
    if (this.#sockets.size > 0) this.#connect(seat)
  }

  /** The host is at the other end of the socket now. */
  attach(socket: Socket): void {
    const isFirst = this.#sockets.size === 0
    this.#sockets.add(socket)
    socket.on('data', (bytes: Buffer) => {
      this.onHeard()
      for (const { device } of this.#seats) device?.receive(Uint8Array.from(bytes))
    })
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      this.#sockets.delete(socket)
      if (this.#sockets.size === 0) this.#disconnect()
    })
    if (isFirst) for (const seat of this.#seats) this.#connect(seat)
  }

  /** Bytes that no device sent. */
  inject(bytes: Uint8Array): void {
    for (const socket of this.#sockets) if (!socket.destroyed) socket.write(bytes)
  }

  /** Pulls the cable out. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.#sockets.clear()
    this.#disconnect()
  }

  #connect(seat: LineSeat): void {
    seat.device?.connect(
      (bytes) => this.#send(seat, bytes),
      (ms, act) => {
        const timer = setInterval(act, ms)
        this.#timers.add(timer)
        return () => {
          clearInterval(timer)
          this.#timers.delete(timer)
        }
      },
    )
  }

  #disconnect(): void {
    for (const { device } of this.#seats) device?.disconnect()
    for (const timer of this.#timers) clearInterval(timer)
    this.#timers.clear()
  }

  #send(seat: LineSeat, sent: Uint8Array): void {
    const faults = [seat.fault, this.fault].filter((fault) => fault !== undefined)
    const bytes = faults.reduce<Uint8Array>((left, { change }) => change?.(left) ?? left, Uint8Array.from(sent))
    const lateMs = faults.reduce((sum, fault) => sum + (fault.lateMs ?? 0), 0)
    if (bytes.length === 0) return
    if (lateMs > 0) setTimeout(() => this.inject(bytes), lateMs).unref()
    else this.inject(bytes)
  }
}
