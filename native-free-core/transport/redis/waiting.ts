/**
 * Resolves when the work is done, when the signal aborts or when the time is over, whichever is first; the work goes on.
 * Rejects as the work does, and only then.
 */
export function settledOrAborted(
  work: Promise<void>,
  signal: AbortSignal | undefined,
  waitMs?: number | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = waitMs === undefined ? undefined : setTimeout(done, waitMs)
    signal?.addEventListener('abort', done)
    work.then(done, (error) => {
      clear()
      reject(error)
    })
    if (signal?.aborted) done()

    function clear(): void {
      clearTimeout(timer)
      signal?.removeEventListener('abort', done)
    }
    function done(): void {
      clear()
      resolve()
    }
  })
}
