import { type AddressInfo, createServer, type Server } from 'node:net'
import { LineWire } from './line-wire.js'

/** Virtual devices behind a TCP port of this machine. */
export class NetworkLine {
  readonly wire = new LineWire()
  #server: Server | undefined
  #port = 0

  get port(): number {
    return this.#port
  }

  /** Listens; each time at the same port. */
  async plug(): Promise<void> {
    const server = createServer((socket) => this.wire.attach(socket.setNoDelay()))
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(this.#port, '127.0.0.1', resolve)
    })
    this.#server = server
    this.#port = (server.address() as AddressInfo).port
  }

  /** Ends connections and takes no new ones. */
  async unplug(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    if (server === undefined) return
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    this.wire.cut()
    await closed
  }
}
