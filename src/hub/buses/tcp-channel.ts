import { connect, type Socket } from 'node:net'
import { messageOf, TelemetryError } from '#core/errors/telemetry-error'
import type { FaultKind } from '../drivers/contract/fault.js'
import { unavailable } from './bus-fault.js'
import type { TcpBusSettings } from './bus-settings.js'
import type { BusTime } from './bus-time.js'

/** Half-open connections are noticed this long after the other side fell silent. */
const KEEP_ALIVE_MS = 10_000

/** An open connection, read by asking: who does not ask lets TCP's flow control hold the sender. */
export interface TcpChannel {
  /** As a serial port's. @throws TLM_BUS_UNAVAILABLE the other side has closed, or cannot be reached any more */
  read(into: Buffer): Promise<number | undefined>
  /** @throws TLM_BUS_UNAVAILABLE */
  write(bytes: Uint8Array): Promise<void>
  /** Ends a pending read. */
  close(): Promise<void>
}

/** @throws TLM_BUS_UNAVAILABLE nobody listens there, or nobody answers in time */
export async function openTcpChannel(
  { host, port }: TcpBusSettings,
  timeoutMs: number,
  time: BusTime,
): Promise<TcpChannel> {
  const at = `${host}:${port}`
  const socket = connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS })
  // Paused from the start: bytes wait until they are asked for.
  socket.pause()
  await new Promise<void>((resolve, reject) => {
    const cancel = time.after(timeoutMs, () => {
      socket.destroy()
      reject(unavailable('timeout', `${at} did not answer within ${timeoutMs} ms: check that it is on and reachable.`))
    })
    socket.once('connect', () => {
      cancel()
      resolve()
    })
    socket.once('error', (error) => {
      cancel()
      reject(explainConnectFailure(error, at))
    })
  })
  return new SocketChannel(socket, at)
}

function explainConnectFailure(error: Error, at: string): TelemetryError {
  const { code } = error as NodeJS.ErrnoException
  const [kind, text]: [FaultKind, string] =
    code === 'ECONNREFUSED'
      ? ['missing', `Nobody listens at ${at}: start the device's server, or correct the port`]
      : code === 'ENOTFOUND' || code === 'EAI_AGAIN'
        ? ['missing', `The name in ${at} is not known: correct the host, or check DNS`]
        : code === 'EACCES' || code === 'EPERM'
          ? ['permission', `Connecting to ${at} is not allowed: check the firewall`]
          : ['io', `${at} cannot be reached: ${messageOf(error)}. Check network and address`]
  return unavailable(kind, `${text}.`, error)
}

class SocketChannel implements TcpChannel {
  readonly #socket: Socket
  readonly #at: string
  #rest: Buffer | undefined
  #failure: Error | undefined
  #isClosedHere = false
  #wake = () => {}

  constructor(socket: Socket, at: string) {
    this.#socket = socket
    this.#at = at
    socket.on('error', (error) => {
      this.#failure = error
    })
    for (const event of ['readable', 'end', 'close'] as const) socket.on(event, () => this.#wake())
  }

  async read(into: Buffer): Promise<number | undefined> {
    for (;;) {
      if (this.#isClosedHere) return undefined
      const bytes = this.#rest ?? (this.#socket.read() as Buffer | null)
      if (bytes !== null) {
        const count = bytes.copy(into)
        this.#rest = count < bytes.length ? bytes.subarray(count) : undefined
        return count
      }
      if (this.#socket.readableEnded || this.#socket.destroyed) throw this.#lost()
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.write(bytes, (error) => {
        if (error) reject(this.#lost(error))
        else resolve()
      })
    })
  }

  async close(): Promise<void> {
    this.#isClosedHere = true
    this.#socket.destroy()
    this.#wake()
  }

  #lost(error: Error | undefined = this.#failure): TelemetryError {
    const why = error === undefined ? 'the other side closed it' : messageOf(error)
    const text = `The connection to ${this.#at} was lost (${why}): check the device and the network.`
    return new TelemetryError('TLM_BUS_UNAVAILABLE', text, { fault: 'io' }, error)
  }
}
