import { type Clock, systemClock } from '#core/time/clock'

/** What `setTimeout` takes at most, milliseconds. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** Time of buses and of the devices on them: a clock that can also call back, so that tests own both. */
export interface BusTime extends Clock {
  /** Calls `act` once after `ms` (at most 24 days). @returns what prevents it */
  after(ms: number, act: () => void): () => void
}

export const systemBusTime: BusTime = {
  nowUs: systemClock.nowUs,
  monotonicMs: systemClock.monotonicMs,
  after(ms, act) {
    const timer = setTimeout(act, Math.min(ms, LONGEST_TIMER_MS))
    return () => clearTimeout(timer)
  },
}

/** Resolves after `ms`, or at once when `signal` aborts; never rejects and leaves nothing behind. */
export function waitFor(time: BusTime, ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const done = () => {
      cancel()
      signal.removeEventListener('abort', done)
      resolve()
    }
    const cancel = time.after(ms, done)
    signal.addEventListener('abort', done, { once: true })
  })
}
