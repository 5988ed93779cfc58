import type { BusTime } from '#src/hub/buses/bus-time'

interface Timer {
  readonly atMs: number
  readonly act: () => void
}

/** Time that passes only when a test says so; timers fire in order, and what they began runs on before the next. */
export class VirtualTime implements BusTime {
  readonly #originUs: number
  #nowMs = 0
  #timers: Timer[] = []

  constructor(originUs = 1_700_000_000_000_000) {
    this.#originUs = originUs
  }

  nowUs(): number {
    return this.#originUs + Math.round(this.#nowMs * 1000)
  }

  monotonicMs(): number {
    return this.#nowMs
  }

  /** How many timers are set. */
  get pending(): number {
    return this.#timers.length
  }

  after(ms: number, act: () => void): () => void {
    const timer = { atMs: this.#nowMs + Math.max(0, ms), act }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer)
    }
  }

  /** Resolves after so much virtual time. */
  pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve))
  }

  /** Lets `ms` pass. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms
    for (;;) {
      await settled()
      const next = this.#earliest()
      if (next === undefined || next.atMs > untilMs) break
      this.#timers.splice(this.#timers.indexOf(next), 1)
      this.#nowMs = Math.max(this.#nowMs, next.atMs)
      next.act()
    }
    this.#nowMs = untilMs
  }

  #earliest(): Timer | undefined {
    let first = this.#timers[0]
    for (const timer of this.#timers) if (timer.atMs < first.atMs) first = timer
    return first
  }
}

/** Everything that can run now has run. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
