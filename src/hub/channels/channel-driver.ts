import type { Driver } from '../drivers/driver.js'
import type { ChannelSink } from './channel-sink.js'

/**
 * A driver whose channels are told what becomes of it: opened anew they forget what was before, stopped on purpose they
 * are not stale. A device that is lost is looked after until it is back: that is when channels become stale.
 */
export class ChannelDriver implements Driver {
  readonly #inner: Driver
  readonly #channels: ChannelSink
  #timer: NodeJS.Timeout | undefined
  /** Every try of one start has the same. */
  #signal: AbortSignal | undefined

  constructor(inner: Driver, channels: ChannelSink) {
    this.#inner = inner
    this.#channels = channels
  }

  async open(): Promise<void> {
    await this.#inner.open()
    this.#channels.restart()
  }

  async run(signal: AbortSignal): Promise<'stopped' | 'ended'> {
    const { lookEveryMs } = this.#channels
    if (this.#timer === undefined && lookEveryMs !== undefined) {
      this.#timer = setInterval(() => this.#channels.lookForStale(), lookEveryMs).unref()
    }
    // The device may be stopped while it is lost: then nothing runs that could resolve.
    if (signal !== this.#signal) signal.addEventListener('abort', () => this.#rest(), { once: true })
    this.#signal = signal
    const outcome = await this.#inner.run(signal)
    this.#rest()
    return outcome
  }

  close(): Promise<void> {
    return this.#inner.close()
  }

  #rest(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#channels.rest()
  }
}
