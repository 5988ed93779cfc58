import type { VirtualI2cDevice } from '../contract/virtual-device.js'
import { type NowMs, processClock } from '../registers/virtual-word-registers.js'
import { checkedWord } from '../sensirion/checked-words.js'
import { climateWords, type HumidityScale } from '../sensirion/climate.js'
import { COMMAND, MEASUREMENT } from './sht4x-commands.js'

const SERIAL = [0x0f4c, 0x21a7]

/** Does not acknowledge a read while it has nothing, a command while it measures, nor one that it does not know. */
export class VirtualSht4x implements VirtualI2cDevice {
  readonly bus = 'i2c'
  readonly #scale: HumidityScale
  readonly #nowMs: NowMs
  readonly #senses = new Map([
    ['temperature', 21.5],
    ['relative_humidity', 45],
  ])
  #answer: number[] | undefined
  #readyAtMs = 0

  constructor(scale: HumidityScale, nowMs: NowMs = processClock) {
    this.#scale = scale
    this.#nowMs = nowMs
  }

  set(channel: string, value: number): void {
    if (!this.#senses.has(channel)) throw new RangeError(`There is no channel ${channel}.`)
    this.#senses.set(channel, value)
  }

  powerCycle(): void {
    this.#answer = undefined
    this.#readyAtMs = 0
  }

  write(bytes: Uint8Array): number {
    if (bytes.length === 0 || this.#nowMs() < this.#readyAtMs) return 0
    const measurement = Object.values(MEASUREMENT).find(({ command }) => command === bytes[0])
    if (measurement) {
      const [temperature, humidity] = [this.#senses.get('temperature')!, this.#senses.get('relative_humidity')!]
      this.#answer = climateWords(temperature, humidity, this.#scale).flatMap(checkedWord)
      this.#readyAtMs = this.#nowMs() + measurement.ms
    } else if (bytes[0] === COMMAND.softReset) this.powerCycle()
    else if (bytes[0] === COMMAND.readSerial) this.#answer = SERIAL.flatMap(checkedWord)
    else return 0
    return bytes.length
  }

  read(count: number): Uint8Array | undefined {
    if (!this.#answer || this.#nowMs() < this.#readyAtMs) return undefined
    const bytes = this.#answer
    this.#answer = undefined
    return Uint8Array.from({ length: count }, (_, at) => bytes[at] ?? 0xff)
  }
}
