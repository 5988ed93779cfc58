import type { VirtualLineDevice } from '../contract/virtual-device.js'
import { LineFramer } from '../framing/line-framer.js'
import { CommandDevice, type CommandDeviceOptions, MAX_COMMAND_BYTES } from './command-device.js'

/** The device on a line: answers command by command, and sends a sample each `SET_RATE` while it measures. */
export class VirtualCommandSensor implements VirtualLineDevice {
  readonly bus = 'line'
  readonly #device: CommandDevice
  #commands = new LineFramer(MAX_COMMAND_BYTES)
  #send: ((bytes: Uint8Array) => void) | undefined
  #every: ((ms: number, act: () => void) => () => void) | undefined
  #stop: (() => void) | undefined
  #runningMs: number | undefined

  constructor(options: CommandDeviceOptions) {
    this.#device = new CommandDevice(options)
  }

  set(channel: string, value: number): void {
    if (channel !== 'value') throw new RangeError(`channel ${channel} cannot be set, only value`)
    this.#device.sense(value)
  }

  powerCycle(): void {
    this.#device.powerCycle()
    this.#commands = new LineFramer(MAX_COMMAND_BYTES)
    this.#schedule()
  }

  connect(send: (bytes: Uint8Array) => void, every: (ms: number, act: () => void) => () => void): void {
    this.#send = send
    this.#every = every
    this.#schedule()
  }

  disconnect(): void {
    this.#send = undefined
    this.#every = undefined
    this.#schedule()
  }

  receive(bytes: Uint8Array): void {
    this.#commands.push(bytes)
    for (let line = this.#commands.next(); line !== undefined; line = this.#commands.next()) {
      this.#tell(this.#device.execute(Buffer.from(line).toString('latin1')))
    }
    if (this.#commands.takeSkipped() > 0) this.#tell('ERROR: Unknown command')
    this.#schedule()
  }

  #tell(line: string): void {
    this.#send?.(Buffer.from(`${line}\n`))
  }

  /** Starts, stops or changes the pace of samples, when it is another than before. */
  #schedule(): void {
    const isMeasuring = this.#device.state === 'Measuring' && this.#every !== undefined
    const wantedMs = isMeasuring ? this.#device.rateMs : undefined
    if (wantedMs === this.#runningMs) return
    this.#stop?.()
    this.#runningMs = wantedMs
    this.#stop = wantedMs === undefined ? undefined : this.#every?.(wantedMs, () => this.#sample())
  }

  #sample(): void {
    const line = this.#device.sample()
    if (line !== undefined) this.#tell(line)
    this.#schedule()
  }
}
