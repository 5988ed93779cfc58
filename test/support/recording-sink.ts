import type { Quality } from '#core/model/quality'
import type { SampleSink } from '#src/hub/drivers/driver'

export interface RecordedReading {
  takenAtUs: number
  /** By channel. */
  values: Record<string, number>
  quality: Quality
  raw: string | undefined
}

/** A sink that keeps what it is given, and tells who waits for it. */
export class RecordingSink implements SampleSink {
  readonly readings: RecordedReading[] = []
  readonly channels: { channel: string; unit: string }[] = []
  readonly rejects = new Map<string, number>()
  readonly details: string[] = []
  /** Readings that fit until {@link makeRoom}. */
  capacity = Number.POSITIVE_INFINITY
  refusals = 0
  #roomWaiters: (() => void)[] = []
  #watchers: { holds: () => boolean; resolve: () => void }[] = []

  series(channel: string, unit: string): number {
    const known = this.channels.findIndex((other) => other.channel === channel)
    return known === -1 ? this.channels.push({ channel, unit }) - 1 : known
  }

  reading(
    takenAtUs: number,
    series: ArrayLike<number>,
    values: ArrayLike<number>,
    quality: Quality = 0,
    raw?: Uint8Array,
  ): boolean {
    if (this.readings.length >= this.capacity) {
      this.refusals++
      this.#notify()
      return false
    }
    const byChannel: Record<string, number> = {}
    for (let i = 0; i < series.length; i++) byChannel[this.channels[series[i]].channel] = values[i]
    const text = raw === undefined ? undefined : Buffer.from(raw).toString()
    this.readings.push({ takenAtUs, values: byChannel, quality, raw: text })
    this.#notify()
    return true
  }

  room(): Promise<void> {
    return new Promise((resolve) => this.#roomWaiters.push(resolve))
  }

  makeRoom(readings: number): void {
    this.capacity += readings
    for (const resolve of this.#roomWaiters.splice(0)) resolve()
  }

  reject(reason: string, detail = ''): void {
    this.rejects.set(reason, (this.rejects.get(reason) ?? 0) + 1)
    this.details.push(`${reason}: ${detail}`)
    this.#notify()
  }

  /** Resolves as soon as the claim about this sink holds. */
  until(holds: () => boolean): Promise<void> {
    if (holds()) return Promise.resolve()
    return new Promise((resolve) => this.#watchers.push({ holds, resolve }))
  }

  #notify(): void {
    const due = this.#watchers.filter((watcher) => watcher.holds())
    if (due.length === 0) return
    this.#watchers = this.#watchers.filter((watcher) => !due.includes(watcher))
    for (const watcher of due) watcher.resolve()
  }
}
