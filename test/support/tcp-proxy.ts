import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/** How a network carries bytes, in both directions. */
export interface Weather {
  /** Every byte is so late, */
  delayMs: number
  /** and up to so much more; bytes keep their order. */
  jitterMs: number
  /** A second and direction of each connection, in small pieces; `undefined`: as many as come. */
  bytesPerSecond: number | undefined
}

const FAIR: Weather = { delayMs: 0, jitterMs: 0, bytesPerSecond: undefined }

/** A TCP proxy on loopback that breaks connections in the ways of real networks. */
export class TcpProxy {
  readonly port: number
  readonly #server: ReturnType<typeof createServer>
  readonly #pairs = new Set<ProxiedConnection>()
  #targetPort: number
  #weather = FAIR
  #isBlackHole = false
  #losesReply: (reply: Buffer) => boolean = () => false

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
      const server = connect(proxy.#targetPort, '127.0.0.1')
      const pair: ProxiedConnection = new ProxiedConnection(client, server, {
        onEnd: () => proxy.#pairs.delete(pair),
        losesReply: (reply) => proxy.#losesReply(reply),
        weather: () => proxy.#weather,
      })
      proxy.#pairs.add(pair)
      if (proxy.#isBlackHole) pair.stall()
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

  /** Present and new connections carry bytes like this from now on; nothing given: at once. */
  setWeather(weather: Partial<Weather> = {}): void {
    this.#weather = { ...FAIR, ...weather }
  }

  /** Connections stay open and new ones are taken, but nothing comes through. */
  beginBlackHole(): void {
    this.#isBlackHole = true
    this.stall()
  }

  /** New connections work again; those that were in the black hole stay as they are, half-open. */
  endBlackHole(): void {
    this.#isBlackHole = false
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

interface ConnectionEvents {
  onEnd(): void
  losesReply(reply: Buffer): boolean
  weather(): Weather
}

class ProxiedConnection {
  dropsReplies = false
  readonly #client: Socket
  readonly #server: Socket
  #held: Buffer[] | undefined

  constructor(client: Socket, server: Socket, { onEnd, losesReply, weather }: ConnectionEvents) {
    this.#client = client
    this.#server = server
    client.setNoDelay(true)
    server.setNoDelay(true)
    const requests = new Conduit(server, weather)
    const replies = new Conduit(client, weather)
    client.on('data', (chunk) => (this.#held ? this.#held.push(chunk) : requests.carry(chunk)))
    server.on('data', (chunk) => {
      if (this.#held || this.dropsReplies) return
      if (losesReply(chunk)) this.destroy()
      else replies.carry(chunk)
    })
    for (const socket of [client, server]) socket.on('error', () => {})
    client.on('close', () => {
      requests.close()
      if (!this.#held) server.destroy()
    })
    server.on('close', () => {
      replies.close()
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

/** Pieces a second of a narrow conduit. */
const PIECES_PER_SECOND = 50

/** One direction of a connection, in whatever weather there is. What is on its way when it closes is lost. */
class Conduit {
  readonly #to: Socket
  readonly #weather: () => Weather
  readonly #queue: { piece: Buffer; dueMs: number }[] = []
  #lastDueMs = 0
  #timer: NodeJS.Timeout | undefined

  constructor(to: Socket, weather: () => Weather) {
    this.#to = to
    this.#weather = weather
  }

  carry(chunk: Buffer): void {
    const { delayMs, jitterMs, bytesPerSecond } = this.#weather()
    if (delayMs + jitterMs === 0 && bytesPerSecond === undefined && this.#queue.length === 0) {
      this.#to.write(chunk)
      return
    }
    const pieceBytes = bytesPerSecond === undefined ? chunk.length : Math.ceil(bytesPerSecond / PIECES_PER_SECOND)
    const pieceMs = bytesPerSecond === undefined ? 0 : 1000 / PIECES_PER_SECOND
    for (let at = 0; at < chunk.length; at += pieceBytes) {
      const earliestMs = performance.now() + delayMs + Math.random() * jitterMs
      this.#lastDueMs = Math.max(earliestMs, this.#lastDueMs + pieceMs)
      this.#queue.push({ piece: chunk.subarray(at, at + pieceBytes), dueMs: this.#lastDueMs })
    }
    this.#schedule()
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#queue.length = 0
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#queue.length === 0) return
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined
        const nowMs = performance.now()
        const due = this.#queue.findIndex(({ dueMs }) => dueMs > nowMs)
        for (const { piece } of this.#queue.splice(0, due === -1 ? this.#queue.length : due)) this.#to.write(piece)
        this.#schedule()
      },
      Math.max(1, this.#queue[0].dueMs - performance.now()),
    )
  }
}
