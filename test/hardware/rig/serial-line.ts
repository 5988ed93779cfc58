import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { LineWire } from './line-wire.js'

/**
 * A serial line with virtual devices at its far end: a real terminal for the hub under a path that stays, as udev
 * makes `/dev/serial/by-id/...`, which is there while the cable is in.
 */
export class SerialLine {
  /** What the hub opens. */
  readonly path: string
  readonly wire = new LineWire()
  readonly #server: Server
  #socat: ChildProcess | undefined
  #onSocket: (socket: Socket) => void = () => {}

  private constructor(path: string) {
    this.path = path
    this.#server = createServer((socket) => this.#onSocket(socket))
  }

  static async start(path: string): Promise<SerialLine> {
    const line = new SerialLine(path)
    await new Promise<void>((resolve) => line.#server.listen(line.#socketPath, resolve))
    return line
  }

  /** Puts the cable in; resolves when its path is there. */
  async plug(): Promise<void> {
    // socat makes the terminal and its link before it connects.
    const connected = new Promise<Socket>((resolve) => {
      this.#onSocket = resolve
    })
    const terminal = `pty,raw,echo=0,link=${this.path}`
    const socat = spawn('socat', [terminal, `unix-connect:${this.#socketPath}`], { stdio: 'ignore' })
    this.#socat = socat
    const failed = once(socat, 'exit').then(([code]) => {
      throw new Error(`socat ended with ${code}; is ${this.path} free?`)
    })
    failed.catch(() => {})
    this.wire.attach(await Promise.race([connected, failed]))
  }

  /** Pulls it out: the terminal hangs up, its path goes. */
  async unplug(): Promise<void> {
    const socat = this.#socat
    this.#socat = undefined
    if (socat === undefined) return
    this.wire.cut()
    if (socat.exitCode === null && socat.signalCode === null) {
      const ended = once(socat, 'exit')
      socat.kill('SIGKILL')
      await ended
    }
    await rm(this.path, { force: true })
  }

  async close(): Promise<void> {
    await this.unplug()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }

  get #socketPath(): string {
    return `${this.path}.sock`
  }
}
