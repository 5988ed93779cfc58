/** Time, injected everywhere so that tests own it. */
export interface Clock {
  /** Wall time, microseconds since the Unix epoch; steps when the host's clock does. */
  nowUs(): number
  /** Monotonic milliseconds from an arbitrary origin; for durations and deadlines only. */
  monotonicMs(): number
}

export const systemClock: Clock = {
  nowUs: () => Math.round((performance.timeOrigin + performance.now()) * 1000),
  monotonicMs: () => performance.now(),
}
