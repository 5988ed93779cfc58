import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/** A TCP proxy on loopback that breaks connections in the ways of real networks. */
export class TcpProxy {
  readonly port: number
  readonly #server: ReturnType<typeof createServer>
  readonly #pairs = new Set<ProxiedConnection>()
  #targetPort: number

  private constructor(server: ReturnType<typeof createServer>, port: number, targetPort: number) {
    this.#server = server
    this.port = port
    this.#targetPort = targetPort
  }

  /** @param targetPort on 127.0.0.1 */
  static async start(targetPort: number): Promise<TcpProxy> {
    const server = createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('No port in the address of a TCP server.')
    const proxy = new TcpProxy(server, address.port, targetPort)
    server.on('connection', (client) => {
      const pair = new ProxiedConnection(client, connect(proxy.#targetPort, '127.0.0.1'), () =>
        proxy.#pairs.delete(pair),
      )
      proxy.#pairs.add(pair)
    })
    return proxy
  }

  /** Present connections stay open and carry nothing any more, in either direction; new ones work. */
  stall(): StalledConnections {
    const pairs = [...this.#pairs]
    for (const pair of pairs) pair.stall()
    return { deliver: async () => void (await Promise.all(pairs.map((pair) => pair.deliver()))) }
  }

  /** Present connections carry requests but no replies. */
  dropReplies(): void {
    for (const pair of this.#pairs) pair.dropsReplies = true
  }

  /** Cuts present connections; new ones go to another server, as behind an address that moves. */
  retarget(port: number): void {
    this.#targetPort = port
    this.cut()
  }

  /** Cuts present connections. */
  cut(): void {
    for (const pair of this.#pairs) pair.destroy()
  }

  async stop(): Promise<void> {
    this.cut()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

export interface StalledConnections {
  /** What clients had sent reaches the server now, late, though they may be gone. Resolves when it was processed. */
  deliver(): Promise<void>
}

class ProxiedConnection {
  dropsReplies = false
  readonly #client: Socket
  readonly #server: Socket
  #held: Buffer[] | undefined

  constructor(client: Socket, server: Socket, onEnd: () => void) {
    this.#client = client
    this.#server = server
    client.setNoDelay(true)
    server.setNoDelay(true)
    client.on('data', (chunk) => (this.#held ? this.#held.push(chunk) : server.write(chunk)))
    server.on('data', (chunk) => {
      if (!this.#held && !this.dropsReplies) client.write(chunk)
    })
    for (const socket of [client, server]) socket.on('error', () => {})
    client.on('close', () => {
      if (!this.#held) server.destroy()
    })
    server.on('close', () => {
      onEnd()
      if (!this.#held) client.destroy()
    })
  }

  stall(): void {
    this.#held ??= []
  }

  async deliver(): Promise<void> {
    if (this.#server.destroyed) return
    const closed = once(this.#server, 'close')
    // Redis works off what it has received before it looks at the end of the connection.
    this.#server.end(Buffer.concat(this.#held ?? []))
    await closed
  }

  destroy(): void {
    this.#client.destroy()
    this.#server.destroy()
  }
}
