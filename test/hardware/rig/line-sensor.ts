import type { VirtualLineDevice } from '#src/hub/drivers/contract/virtual-device'

/** A board that prints its values in lines such as `t=20.5 h=50.1`, ten a second. */
export class LineSensor implements VirtualLineDevice {
  readonly bus = 'line'
  readonly #values: Record<string, number>
  readonly #everyMs: number
  #stop: (() => void) | undefined

  constructor(channels: readonly string[], everyMs = 100) {
    this.#values = Object.fromEntries(channels.map((channel) => [channel, 0]))
    this.#everyMs = everyMs
  }

  set(channel: string, value: number): void {
    if (!Object.hasOwn(this.#values, channel)) throw new RangeError(`There is no channel ${channel}.`)
    this.#values[channel] = value
  }

  powerCycle(): void {}

  connect(send: (bytes: Uint8Array) => void, every: (ms: number, act: () => void) => () => void): void {
    this.#stop = every(this.#everyMs, () => {
      const words = Object.entries(this.#values).map(([channel, value]) => `${channel}=${value.toFixed(2)}`)
      send(Buffer.from(`${words.join(' ')}\n`))
    })
  }

  disconnect(): void {
    this.#stop?.()
  }

  receive(): void {}
}
