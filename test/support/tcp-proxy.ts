import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/** A TCP proxy on loopback that breaks connections in the ways of real networks. */
export class TcpProxy {
  readonly port: number
  readonly #server: ReturnType<typeof createServer>
  readonly #pairs = new Set<ProxiedConnection>()
  #targetPort: number
  #losesReply: (reply: Buffer) => boolean = () => false
  #pace: Pace | undefined

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
      const pair = new ProxiedConnection(client, connect(proxy.#targetPort, '127.0.0.1'), {
        losesReply: (reply) => proxy.#losesReply(reply),
        pace: () => proxy.#pace,
        onEnd: () => proxy.#pairs.delete(pair),
      })
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

  /**
   * From now on cuts a connection instead of delivering a reply, every so often: what was asked has been done, and the
   * client does not know.
   *
   * @param isDue whether this reply is one to lose; a chunk of bytes, for short replies a whole one
   */
  loseReplies(isDue: (reply: Buffer) => boolean): void {
    this.#losesReply = isDue
  }

  /** From now on all bytes take their time, in order. */
  slowDown(pace: Pace | undefined): void {
    this.#pace = pace
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

/** How slow a network is, in each direction. */
export interface Pace {
  /** How long the next bytes are under way. Milliseconds. */
  delayMs(): number
  /** Bytes that arrive together; absent: as they were sent. */
  chunkBytes?: number
}

interface ProxyBehaviour {
  losesReply(reply: Buffer): boolean
  pace(): Pace | undefined
  onEnd(): void
}

class ProxiedConnection {
  dropsReplies = false
  readonly #client: Socket
  readonly #server: Socket
  #held: Buffer[] | undefined

  constructor(client: Socket, server: Socket, { losesReply, pace, onEnd }: ProxyBehaviour) {
    const toServer = new SlowPipe(server, pace)
    const toClient = new SlowPipe(client, pace)
    this.#client = client
    this.#server = server
    client.setNoDelay(true)
    server.setNoDelay(true)
    client.on('data', (chunk) => (this.#held ? this.#held.push(chunk) : toServer.write(chunk)))
    server.on('data', (chunk) => {
      if (this.#held || this.dropsReplies) return
      if (losesReply(chunk)) this.destroy()
      else toClient.write(chunk)
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

/** Writes to a socket at the pace of the moment, never out of order. */
class SlowPipe {
  readonly #socket: Socket
  readonly #pace: () => Pace | undefined
  /** When the last bytes under way arrive; `performance.now`. */
  #busyUntilMs = 0

  constructor(socket: Socket, pace: () => Pace | undefined) {
    this.#socket = socket
    this.#pace = pace
  }

  write(chunk: Buffer): void {
    const pace = this.#pace()
    const nowMs = performance.now()
    if (pace === undefined && this.#busyUntilMs <= nowMs) {
      this.#socket.write(chunk)
      return
    }
    const bytes = pace?.chunkBytes ?? chunk.length
    for (let at = 0; at < chunk.length; at += bytes) {
      const part = chunk.subarray(at, at + bytes)
      // The parts of a dribble follow each other; whole chunks are under way at the same time.
      const fromMs = pace?.chunkBytes === undefined ? nowMs : Math.max(nowMs, this.#busyUntilMs)
      this.#busyUntilMs = Math.max(this.#busyUntilMs, fromMs + (pace?.delayMs() ?? 0))
      setTimeout(() => this.#socket.write(part), this.#busyUntilMs - nowMs)
    }
  }
}
