import { type Framer, streamDriver } from '#src/hub/drivers/contract/stream-driver'
import type { VirtualLineDevice } from '#src/hub/drivers/contract/virtual-device'

/** The smallest driver of a device that talks by itself: `21.50\n` ten times a second. The suite is shown to work on it. */
export const exampleStreamDriver = streamDriver({
  kind: 'stream',
  manifest: {
    name: 'example',
    summary: 'a number with two decimals a line',
    source: 'none: it stands here',
    buses: ['serial'],
  },
  channels: () => [
    { name: 'temperature', quantity: 'temperature', unit: 'Cel', range: [-40, 85] as const, resolution: 0.01 },
  ],
  silenceMs: () => 1000,
  framer: () => new LineFramer(),
  decoder: () => ({
    decode(frame, note) {
      const text = Buffer.from(frame).toString('latin1')
      note?.('text', JSON.stringify(text))
      if (!/^-?\d{1,9}\.\d\d$/.test(text))
        return { fault: 'decode', message: 'The line is no number; check the baud rate.' }
      return [{ ageUs: 0, values: [Number(text)] }]
    },
  }),
  emulate: () => new VirtualThermometer(),
})

class LineFramer implements Framer {
  #rest: number[] = []

  push(bytes: Uint8Array): void {
    this.#rest.push(...bytes)
  }

  next(): Uint8Array | undefined {
    const end = this.#rest.indexOf(0x0a)
    return end < 0 ? undefined : Uint8Array.from(this.#rest.splice(0, end + 1).slice(0, -1))
  }

  takeSkipped(): number {
    return 0
  }
}

class VirtualThermometer implements VirtualLineDevice {
  readonly bus = 'line'
  #celsius = 20
  #stop = () => {}

  set(channel: string, value: number): void {
    if (channel !== 'temperature') throw new RangeError(`There is no channel ${channel}.`)
    this.#celsius = value
  }

  powerCycle(): void {}

  connect(send: (bytes: Uint8Array) => void, every: (ms: number, act: () => void) => () => void): void {
    this.#stop = every(100, () => send(Buffer.from(`${this.#celsius.toFixed(2)}\n`)))
  }

  receive(): void {}

  disconnect(): void {
    this.#stop()
  }
}
