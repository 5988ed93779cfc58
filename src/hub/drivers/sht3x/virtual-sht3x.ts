import type { VirtualI2cDevice } from '../contract/virtual-device.js'
import { type NowMs, processClock } from '../registers/virtual-word-registers.js'
import { checkedWord } from '../sensirion/checked-words.js'
import { climateWords, type HumidityScale } from '../sensirion/climate.js'
import { COMMAND, RESET_DETECTED, startedBy } from './sht3x-commands.js'

/** Alert pending and reset detected, as after power-on (datasheet table 18). */
const STATUS_AFTER_RESET = 0x8000 | RESET_DETECTED

/**
 * A chip that measures on command or by itself. It does not acknowledge a read while it has nothing, nor a command that
 * it does not know or must not take in its mode.
 */
export class VirtualSht3x implements VirtualI2cDevice {
  readonly bus = 'i2c'
  readonly #scale: HumidityScale
  readonly #nowMs: NowMs
  readonly #senses = new Map([
    ['temperature', 21.5],
    ['relative_humidity', 45],
  ])
  #status = STATUS_AFTER_RESET
  #wanted: 'measurement' | 'status' | undefined
  /** The running or finished measurement; with `everyMs` in periodic mode. */
  #run: { readonly firstAtMs: number; readonly everyMs?: number; fetched: number } | undefined

  constructor(scale: HumidityScale, nowMs: NowMs = processClock) {
    this.#scale = scale
    this.#nowMs = nowMs
  }

  set(channel: string, value: number): void {
    if (!this.#senses.has(channel)) throw new RangeError(`There is no channel ${channel}.`)
    this.#senses.set(channel, value)
  }

  powerCycle(): void {
    this.#status = STATUS_AFTER_RESET
    this.#wanted = undefined
    this.#run = undefined
  }

  write(bytes: Uint8Array): number {
    if (bytes.length < 2) return bytes.length
    return this.#take((bytes[0] << 8) | bytes[1]) ? bytes.length : 1
  }

  read(count: number): Uint8Array | undefined {
    const wanted = this.#wanted
    this.#wanted = undefined
    if (wanted === 'status') return answer(count, checkedWord(this.#status))
    if (!this.#hasNew()) {
      // One measurement may be asked for again until it is done; a fetch is over.
      if (this.#run && this.#run.everyMs === undefined) this.#wanted = wanted
      return undefined
    }
    if (wanted !== 'measurement') return undefined
    const [temperature, humidity] = [this.#senses.get('temperature')!, this.#senses.get('relative_humidity')!]
    if (this.#run!.everyMs === undefined) this.#run = undefined
    else this.#run!.fetched = this.#done()
    return answer(count, climateWords(temperature, humidity, this.#scale).flatMap(checkedWord))
  }

  #take(command: number): boolean {
    const isPeriodic = this.#run?.everyMs !== undefined
    const started = startedBy(command)
    if (started) {
      if (isPeriodic) return false
      this.#run = { firstAtMs: this.#nowMs() + started.ms, everyMs: started.everyMs, fetched: 0 }
      this.#wanted = started.everyMs === undefined ? 'measurement' : undefined
      return true
    }
    switch (command) {
      case COMMAND.fetch:
        this.#wanted = 'measurement'
        return true
      case COMMAND.break:
        this.#run = undefined
        return true
      case COMMAND.softReset:
        if (isPeriodic) return false
        this.powerCycle()
        return true
      case COMMAND.readStatus:
        this.#wanted = 'status'
        return true
      case COMMAND.clearStatus:
        this.#status = 0
        return true
      default:
        return false
    }
  }

  #done(): number {
    if (!this.#run) return 0
    const passedMs = this.#nowMs() - this.#run.firstAtMs
    if (passedMs < 0) return 0
    return 1 + (this.#run.everyMs === undefined ? 0 : Math.floor(passedMs / this.#run.everyMs))
  }

  #hasNew(): boolean {
    return this.#run !== undefined && this.#done() > this.#run.fetched
  }
}

/** The master clocks as many bytes as it likes; beyond the answer the line is high. */
function answer(count: number, bytes: readonly number[]): Uint8Array {
  return Uint8Array.from({ length: count }, (_, at) => bytes[at] ?? 0xff)
}
