/** What `setTimeout` takes; beyond it fires at once. Callers loop until their time has come. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** Resolves after `ms`, or at once when `signal` aborts; never rejects and leaves nothing behind. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, Math.min(ms, LONGEST_TIMER_MS))
    signal?.addEventListener('abort', done, { once: true })
  })
}
